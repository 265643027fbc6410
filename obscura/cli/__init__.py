"""The command line, ``obscura``."""
