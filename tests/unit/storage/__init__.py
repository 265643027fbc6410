"""Photos by key."""
