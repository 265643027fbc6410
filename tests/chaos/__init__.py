"""Runs that kill, freeze, fill up or starve parts of a real system."""
