"""Migration steps in numerical order."""
