"""Words of error messages: the known name nearest to a misspelt one, sizes in megabytes."""

import math
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "megabytes", "unknown_name"]

MAX_SHOWN = 60
MEGABYTE = 1024 * 1024


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean WORD?`` with the known word nearest to ``name``; empty if none is near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def unknown_name(name: str, kind: str, known: Iterable[str]) -> str:
    """Return a sentence that ``name`` is no ``kind``, with the nearest known name or all of them.

    >>> unknown_name("stile", "a field", ["style", "file"])
    'stile is not a field; did you mean style?'
    >>> unknown_name("colour", "a field", ["style", "file"])
    'colour is not a field; known are file, style'
    """
    words = sorted(known)
    shown = name if name.isprintable() and name else repr(name)
    hint = did_you_mean(name, words) or (
        "; known are " + ", ".join(words) if words else "; none is known here"
    )
    return f"{shown[:MAX_SHOWN]} is not {kind}{hint}"


def megabytes(length: int) -> str:
    """Return a length in bytes as megabytes of 2**20 bytes, rounded up to a tenth: ``36 MB``, ``25.1 MB``.

    Less than a tenth of a megabyte is given in bytes.
    """
    if length * 10 < MEGABYTE:
        return f"{length} bytes"
    return f"{math.ceil(length * 10 / MEGABYTE) / 10:g} MB"
