"""Inflate deflated DICOM files with a limit, before they are parsed. Standard library only.

pydicom inflates the whole data set of such a file in one call without a limit: 1 MB may become 1 GB.

Sources: DICOM PS3.10 section 7.1 (file meta information), PS3.5 sections 7.1.2 (explicit VR) and A.5.
"""

import struct
import zlib
from typing import Final

from obscura.errors import PhotoTooCostlyError, TruncatedPhotoError, UndecodablePhotoError

__all__ = ["inflated"]

MAX_RATIO: Final = 100
"""Largest ratio of inflated to deflated bytes; mammograms have 2 to 10."""
FREE_BYTES: Final = 16 << 20
"""Inflated bytes up to which the ratio is not checked."""

_MAGIC_AT: Final = 128
_META_AT: Final = 132
_META_GROUP: Final = 2
_SYNTAX: Final = 0x10
_LONG_FORMS: Final = frozenset({b"OB", b"OW", b"UN", b"UT", b"SQ", b"OF"})
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_PLAIN: Final = b"1.2.840.10008.1.2.1"
"""Explicit VR little endian, the encoding of an inflated data set."""
_MAX_ELEMENTS: Final = 64
_PIECE: Final = 1 << 20


def inflated(data: bytes, max_bytes: int) -> bytes:
    """Return a deflated DICOM file with its data set inflated; any other file unchanged.

    Parameters
    ----------
    data
        All bytes of the file.
    max_bytes
        Largest length of the inflated data set.

    Raises
    ------
    PhotoTooCostlyError
        If the data set is longer than ``max_bytes``, or than `MAX_RATIO` times the deflated one plus
        `FREE_BYTES`.
    TruncatedPhotoError
        If the deflate stream is truncated.
    UndecodablePhotoError
        If it cannot be inflated.
    """
    found = _syntax(data)
    if found is None:
        return data
    start, length, end = found
    if data[start : start + length].rstrip(b"\x00 ") != _DEFLATED:
        return data
    body = _inflated(data[end:], max_bytes)
    return b"".join((data[:start], _PLAIN.ljust(length, b"\x00"), data[start + length : end], body))


def _syntax(data: bytes) -> tuple[int, int, int] | None:
    """Return offset and length of the transfer syntax, and the end of the file meta information."""
    if data[_MAGIC_AT:_META_AT] != b"DICM":
        return None
    position, found = _META_AT, None
    for _ in range(_MAX_ELEMENTS):
        if position + 12 > len(data):
            return None
        group, element, form, length = struct.unpack_from("<HH2sH", data, position)
        if group != _META_GROUP:
            return None if found is None else (*found, position)
        start = position + 8
        if form in _LONG_FORMS:
            length, start = struct.unpack_from("<L", data, start)[0], start + 4
        if element == _SYNTAX:
            found = (start, length)
        position = start + length
    return None


def _inflated(packed: bytes, max_bytes: int) -> bytes:
    """Return the inflated bytes of a raw deflate stream, within the limits."""
    most = min(max_bytes, MAX_RATIO * len(packed) + FREE_BYTES)
    unpacker, pieces, left = zlib.decompressobj(-zlib.MAX_WBITS), list[bytes](), most
    while not unpacker.eof:
        try:
            piece = unpacker.decompress(packed, _PIECE)
        except zlib.error:
            message = "the data set of the DICOM file cannot be inflated"
            raise UndecodablePhotoError(message) from None
        packed, left = unpacker.unconsumed_tail, left - len(piece)
        if left < 0:
            message = f"the deflated DICOM file holds more than the {most} bytes that its size allows"
            raise PhotoTooCostlyError(message)
        if not piece and not packed and not unpacker.eof:
            message = "the file ends before its picture does"
            raise TruncatedPhotoError(message)
        pieces.append(piece)
    return b"".join(pieces)
