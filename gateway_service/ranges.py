"""A part of a picture that lies in memory; files are served in parts by Starlette itself."""

import re
from typing import Final

from starlette.responses import Response

_ONE_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_DIGITS: Final = 15
"""More than any file has; longer numbers are not read."""


def ranged(data: bytes, wanted: str, headers: dict[str, str], media_type: str) -> Response:
    """Return ``data`` whole, or the one part that the header Range asks for.

    Several parts at once, other units and what cannot be read get the whole, as RFC 9110 allows; a part that
    begins after the end is 416.
    """
    headers = headers | {"accept-ranges": "bytes"}
    match = _ONE_RANGE.fullmatch(wanted)
    first, last = match.groups() if match else ("", "")
    size = len(data)
    if (
        not (first or last)
        or max(len(first), len(last)) > _DIGITS
        or (first and last and int(last) < int(first))
    ):
        return Response(data, media_type=media_type, headers=headers)
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{size}"})
    headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(data[start:end], 206, media_type=media_type, headers=headers)
