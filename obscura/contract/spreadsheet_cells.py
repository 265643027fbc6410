"""Escape texts for CSV cells, so that no spreadsheet evaluates them as formulas."""

__all__ = ["plain_cell"]

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of a formula, also in full width (OWASP, CSV injection)."""


def plain_cell(text: str) -> str:
    """Return ``text``, with an apostrophe in front if a spreadsheet would take it for a formula.

    >>> plain_cell("=cmd.jpg"), plain_cell("photo.jpg")
    ("'=cmd.jpg", 'photo.jpg')
    """
    return f"'{text}" if text.startswith(FORMULAS) else text
