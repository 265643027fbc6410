"""Cells that no spreadsheet program takes for a formula."""

__all__ = ["plain_cell"]

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell begins with that a spreadsheet calculates, also in full width (OWASP, CSV injection)."""


def plain_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    >>> plain_cell("=cmd.jpg"), plain_cell("photo.jpg")
    ("'=cmd.jpg", 'photo.jpg')
    """
    return f"'{text}" if text.startswith(FORMULAS) else text
