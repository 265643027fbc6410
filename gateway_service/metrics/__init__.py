"""The metrics endpoint: gathering and exposition."""
