"""Boxes of HEIC and AVIF files: sizes, grids, items, frames. Standard library only.

Offsets outside the file are not followed, every iteration is bounded in depth and in the number of boxes, and
a box that is truncated by its parent is not yielded.

Sources: ISO/IEC 14496-12 (boxes, meta, iloc, iinf, stsz), ISO/IEC 23008-12 (ispe, pixi, grid), AV1 image file
format 1.1.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from obscura.errors import UndecodablePhotoError
from obscura.geometry import Size
from obscura.imaging.formats import Buffer

_MAX_BOXES: Final = 100_000
_MAX_ITEMS: Final = 20_000
_MAX_BRANDS: Final = 64
_FULL: Final = 4
_GRID_HEAD: Final = 12
_PIXI_END: Final = 16
_NAMES_END: Final = 512
_LARGE_ID: Final = 2
"""First version of pitm, infe and iloc whose item numbers take four bytes."""


Span: TypeAlias = tuple[int, int]
"""A range of bytes in the file: start, and end exclusive."""


class Box(NamedTuple):
    """A box: its type, and its payload ``data[body:end]``."""

    kind: bytes
    body: int
    end: int


class Item(NamedTuple):
    """An item of a meta box: its type (such as ``hvc1``, ``grid``, ``Exif``, ``mime``) and content type."""

    kind: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Meta:
    """The meta box of a file.

    Attributes
    ----------
    properties
        Every property of the property container, in its order.
    items
        Items by their number.
    extents
        Byte ranges of each item, which may be beyond the end of the file.
    """

    properties: tuple[Box, ...]
    items: Mapping[int, Item]
    extents: Mapping[int, tuple[Span, ...]]

    def payloads(self, data: Buffer, kind: bytes) -> Iterator[tuple[Item, bytes]]:
        """Yield each item of a type, with the bytes of its first extent.

        At most as many bytes in all as the file has, because valid items do not overlap.
        """
        left = len(data)
        for number, item in self.items.items():
            spans = self.extents.get(number, ())
            if item.kind == kind and spans:
                body = bytes(data[spans[0][0] : min(spans[0][1], spans[0][0] + left)])
                left -= len(body)
                yield item, body


def boxes(data: Buffer, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes that lie wholly in ``data[start:end]``.

    Raises
    ------
    UndecodablePhotoError
        If a box states an impossible length, or there are more than any photo has.
    """
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1:
            if start + 16 > end:
                return
            length, body = struct.unpack_from(">Q", data, body)[0], start + 16
        stop = end if length == 0 else start + length
        if stop < body:
            message = "a box states an impossible length"
            raise UndecodablePhotoError(message)
        if stop > end:
            return
        yield Box(kind, body, stop)
        start = stop
    message = "a file with more boxes than any photo has"
    raise UndecodablePhotoError(message)


def brands(data: Buffer) -> tuple[bytes, ...]:
    """Return the brands of a file that begins with an ftyp box: the major one, then the compatible ones."""
    length = min(int.from_bytes(data[:4]), 16 + 4 * _MAX_BRANDS)
    compatible = bytes(data[16:length])
    others = (compatible[at : at + 4] for at in range(0, len(compatible) - 3, 4))
    return (bytes(data[8:12]), *others)


def find(data: Buffer, parent: Box, *path: bytes) -> Iterator[Box]:
    """Yield the boxes at the end of a path of types below ``parent``."""
    for box in boxes(data, parent.body, parent.end):
        if box.kind == path[0]:
            yield from find(data, box, *path[1:]) if len(path) > 1 else (box,)


def read_meta(data: Buffer) -> Meta | None:
    """Return the content of the file's first meta box, None where there is none.

    Raises
    ------
    UndecodablePhotoError
        If the structure contradicts the format.
    struct.error
        If a table ends inside an entry.
    """
    found = next((box for box in boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    if found is None:
        return None
    parts = {box.kind: box for box in boxes(data, found.body + _FULL, found.end)}
    properties: tuple[Box, ...] = ()
    if b"iprp" in parts:
        containers = find(data, parts[b"iprp"], b"ipco")
        properties = tuple(box for ipco in containers for box in boxes(data, ipco.body, ipco.end))
    inside = parts[b"idat"].body if b"idat" in parts else len(data)
    return Meta(
        properties,
        dict(_items(data, parts[b"iinf"])) if b"iinf" in parts else {},
        dict(_extents(data, parts[b"iloc"], inside)) if b"iloc" in parts else {},
    )


def sizes(data: Buffer, meta: Meta) -> Iterator[Size]:
    """Yield the stated sizes of all pictures, tiles, previews and grids of tiles."""
    for box in meta.properties:
        if box.kind == b"ispe":
            yield Size(*struct.unpack_from(">II", data, box.body + _FULL))
    for _, body in meta.payloads(data, b"grid"):
        # Version, flags (bit 0: 32-bit sides), rows - 1, columns - 1, width, height.
        if len(body) >= _GRID_HEAD - 4:
            wide = body[1] & 1
            yield Size(*struct.unpack_from(">II" if wide else ">HH", body, 4))


def bits(data: Buffer, meta: Meta) -> int:
    """Return the largest stated number of bits per sample; 8 where none is stated."""
    deepest = 8
    for box in meta.properties:
        if box.kind == b"pixi" and box.body + _FULL < box.end:
            deepest = max(deepest, *data[box.body + _FULL + 1 : min(box.end, box.body + _PIXI_END)])
    return deepest


def frames(data: Buffer) -> int:
    """Return the samples of the longest track of a sequence, 0 where there is no track."""
    longest = 0
    for movie in (box for box in boxes(data, 0, len(data)) if box.kind == b"moov"):
        for table in find(data, movie, b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
            longest = max(longest, struct.unpack_from(">I", data, table.body + 8)[0])
    return longest


def ends_whole(data: Buffer) -> bool:
    """Return whether the outermost boxes reach the end of the file."""
    last = max((box.end for box in boxes(data, 0, len(data))), default=0)
    return len(data) - last < 8  # noqa: PLR2004 - no room for a box


def is_whole(data: Buffer, meta: Meta) -> bool:
    """Return whether the boxes reach the end of the file and every item lies inside it."""
    ends = (end for spans in meta.extents.values() for _, end in spans)
    return ends_whole(data) and max(ends, default=0) <= len(data)


def _items(data: Buffer, table: Box) -> Iterator[tuple[int, Item]]:
    """Yield the items that an iinf box lists."""
    count_length = 2 if data[table.body] == 0 else 4
    for box in boxes(data, table.body + _FULL + count_length, table.end):
        version = data[box.body]
        if box.kind != b"infe" or version < _LARGE_ID:
            continue
        letter = "H" if version == _LARGE_ID else "I"
        number, _, kind = struct.unpack_from(f">{letter}H4s", data, box.body + _FULL)
        names_at = box.body + _FULL + struct.calcsize(f">{letter}H4s")
        names = bytes(data[names_at : min(box.end, names_at + _NAMES_END)]).split(b"\x00")
        yield number, Item(kind, names[1] if len(names) > 1 else b"")


def _extents(data: Buffer, table: Box, inside: int) -> Iterator[tuple[int, tuple[Span, ...]]]:
    """Yield the byte ranges of the items in an iloc box.

    ``inside`` is the offset of the idat box's payload.
    """
    reader = _Reader(data, table.body, table.end)
    version = reader.take(4) >> 24
    widths = reader.take(2)
    offset_width, length_width, base_width = widths >> 12, widths >> 8 & 15, widths >> 4 & 15
    index_width = widths & 15 if version in (1, 2) else 0
    budget = _MAX_ITEMS
    for _ in range(min(reader.take(4 if version >= _LARGE_ID else 2), _MAX_ITEMS)):
        number = reader.take(4 if version >= _LARGE_ID else 2)
        method = reader.take(2) & 15 if version in (1, 2) else 0
        reader.take(2)
        base = reader.take(base_width) + (inside if method == 1 else 0)
        spans = []
        count = min(reader.take(2), budget)
        budget -= count
        for _ in range(count):
            reader.take(index_width)
            start = base + reader.take(offset_width)
            length = reader.take(length_width)
            spans.append((start, start + length if length else len(data)))
        if method <= 1:
            yield number, tuple(spans)


class _Reader:
    """Reads successive unsigned integers of any width from a range of bytes."""

    def __init__(self, data: Buffer, start: int, end: int) -> None:
        self._data = data
        self._at = start
        self._end = end

    def take(self, width: int) -> int:
        """Return the next ``width`` bytes as a number; 0 for no bytes.

        Raises
        ------
        UndecodablePhotoError
            If there are fewer.
        """
        start, self._at = self._at, self._at + width
        if self._at > self._end:
            message = "a table of the file ends inside an entry"
            raise UndecodablePhotoError(message)
        return int.from_bytes(self._data[start : self._at])
