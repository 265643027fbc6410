"""Obscura finds what must not be shown in a photo and hides it for good."""

__version__ = "0.1.0"
