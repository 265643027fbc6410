"""Finds plates in photos."""
