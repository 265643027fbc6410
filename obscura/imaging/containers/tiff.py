"""Structure of TIFF files: pages, sizes, bit depth, data ranges. Standard library only.

Source: TIFF 6.0, sections 2, 8 and 15.
"""

import struct
from collections.abc import Mapping
from typing import Final

from obscura.errors import TruncatedPhotoError, UndecodablePhotoError
from obscura.geometry import Size
from obscura.imaging.formats import Buffer, PhotoFormat, PhotoHeader
from obscura.imaging.metadata.exif import Directory, Entry, byte_order, integers, read_directory

_SUBFILE: Final = 254
_WIDTH: Final = 256
_HEIGHT: Final = 257
_BITS: Final = 258
_DATA_TAGS: Final = ((273, 279), (324, 325))
"""Offsets and byte counts, of strips and of tiles."""

_REDUCED: Final = 1
_MAX_PAGES: Final = 256
_PAGE_BUDGET: Final = 1024


def inspect_tiff(data: Buffer) -> PhotoHeader:
    """Read the first page of a TIFF file and count its pages, without reduced-size copies.

    Raises
    ------
    UndecodablePhotoError
        If the first page states no size.
    TruncatedPhotoError
        If the first directory lies outside the file.
    """
    order = byte_order(data) or "<"
    offset = struct.unpack_from(order + "I", data, 4)[0]
    if offset + 2 > len(data):
        message = "a TIFF whose first directory is beyond the end of the file"
        raise TruncatedPhotoError(message)
    first = read_directory(data, order, offset)
    width, height = (_single(first.entries, tag, order) for tag in (_WIDTH, _HEIGHT))
    return PhotoHeader(
        PhotoFormat.TIFF,
        Size(width, height),
        frames=_count_pages(data, order, first),
        complete=_data_end(first.entries, order) <= len(data),
        bits=_single(first.entries, _BITS, order, default=1),
    )


def _single(entries: Mapping[int, Entry], tag: int, order: str, *, default: int | None = None) -> int:
    """Return the first value of a tag.

    Raises
    ------
    UndecodablePhotoError
        If it is missing and there is no default.
    """
    values = integers(entries.get(tag), order)
    if values:
        return values[0]
    if default is None:
        message = "a TIFF that does not tell its size"
        raise UndecodablePhotoError(message)
    return default


def _count_pages(data: Buffer, order: str, first: Directory) -> int:
    """Return the number of full pages, at most 256.

    A cyclic chain of directories ends at its first repetition.
    """
    pages, seen, following = 1, {0}, first.next_offset
    while following not in seen and len(seen) <= _MAX_PAGES:
        seen.add(following)
        directory = read_directory(data, order, following, _PAGE_BUDGET)
        if directory.entries and not _single(directory.entries, _SUBFILE, order, default=0) & _REDUCED:
            pages += 1
        following = directory.next_offset
    return pages


def _data_end(entries: Mapping[int, Entry], order: str) -> int:
    """Return the end offset of the last strip or tile stated in the directory."""
    ends = [0]
    for offsets_tag, counts_tag in _DATA_TAGS:
        offsets = integers(entries.get(offsets_tag), order)
        counts = integers(entries.get(counts_tag), order)
        ends += [offset + count for offset, count in zip(offsets, counts, strict=False)]
    return max(ends)
