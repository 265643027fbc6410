"""The command line: ``obscura detect | blur | models | serve``."""

from obscura.cli.main import app, main

__all__ = ["app", "main"]
