"""The command line, ``obscura``."""

from obscura.cli.main import app, main

__all__ = ["app", "main"]
