"""Does all steps of a photo at once."""
