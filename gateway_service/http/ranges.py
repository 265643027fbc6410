"""Range requests for pictures in memory; Starlette serves ranges of files itself."""

import re
from typing import Final, NamedTuple

from starlette.responses import Response

_ONE_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_DIGITS: Final = 15
"""Longer numbers are ignored."""


class Part(NamedTuple):
    """Bytes ``start`` to ``end``, exclusive, of ``size``; not satisfiable where it begins behind the end."""

    start: int
    end: int
    size: int

    @property
    def is_there(self) -> bool:
        """Whether the range is satisfiable."""
        return self.start < self.size

    @property
    def content_range(self) -> str:
        """Value of the header Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}" if self.is_there else f"bytes */{self.size}"


def part_of(wanted: str, size: int) -> Part | None:
    """Return the one part of ``size`` bytes that the header Range asks for; None for all of them.

    Multiple ranges, other units and invalid values get all of them, as RFC 9110 section 14.2 allows.
    """
    match = _ONE_RANGE.fullmatch(wanted)
    first, last = match.groups() if match else ("", "")
    if (
        not (first or last)
        or max(len(first), len(last)) > _DIGITS
        or (first and last and int(last) < int(first))
    ):
        return None
    start = int(first) if first else max(0, size - int(last))
    return Part(start, min(size, int(last) + 1) if first and last else size, size)


def ranged(data: bytes, wanted: str, headers: dict[str, str], media_type: str) -> Response:
    """Return a response with ``data`` or the requested range of it; 416 where it is not satisfiable."""
    headers = headers | {"accept-ranges": "bytes"}
    part = part_of(wanted, len(data))
    if part is None:
        return Response(data, media_type=media_type, headers=headers)
    headers["content-range"] = part.content_range
    if not part.is_there:
        return Response(status_code=416, headers=headers)
    return Response(data[part.start : part.end], 206, media_type=media_type, headers=headers)
