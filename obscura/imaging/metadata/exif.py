"""Read and write EXIF blocks. Standard library only.

An EXIF block has the structure of a TIFF file, so this module also reads the directories of TIFF photos.
Sources: TIFF 6.0 sections 2 and 8; CIPA DC-008 (Exif 2.32) section 4.6.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from obscura.imaging.formats import Buffer

PREFIX: Final = b"Exif\x00\x00"
ORIENTATION: Final = 274
EXIF_POINTER: Final = 34665
GPS_POINTER: Final = 34853
MAKER_NOTE: Final = 37500

BYTE: Final = 1
ASCII: Final = 2
SHORT: Final = 3
LONG: Final = 4
RATIONAL: Final = 5

_TYPE_SIZES: Final[Mapping[int, int]] = MappingProxyType(
    {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
)
_HEADER: Final = 8
_ENTRY: Final = 12
_INLINE: Final = 4
_MAX_ENTRIES: Final = 4096


class Entry(NamedTuple):
    """One directory entry: TIFF type, number of values, and the raw bytes in the block's byte order."""

    kind: int
    values: int
    raw: bytes


class Directory(NamedTuple):
    """An image file directory: its readable entries by tag, and the offset of the next (0: none)."""

    entries: Mapping[int, Entry]
    next_offset: int


NO_ENTRIES: Final[Mapping[int, Entry]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ExifBlock:
    """The parts of an EXIF block that are used here.

    Attributes
    ----------
    order
        ``"<"`` for little-endian, ``">"`` for big-endian: the order of every ``Entry.raw``.
    main, exif, gps
        Entries of IFD0, the Exif directory and the GPS directory.
    has_thumbnail
        Whether a second directory (IFD1) is there.
    """

    order: str
    main: Mapping[int, Entry] = field(default_factory=dict)
    exif: Mapping[int, Entry] = field(default_factory=dict)
    gps: Mapping[int, Entry] = field(default_factory=dict)
    has_thumbnail: bool = False


def byte_order(block: Buffer) -> str | None:
    """Return ``"<"`` or ``">"`` by a TIFF header, None where there is no (classic) TIFF header."""
    return {b"II*\x00": "<", b"MM\x00*": ">"}.get(bytes(block[:4]))


def read_directory(block: Buffer, order: str, offset: int, budget: int | None = None) -> Directory:
    """Read the directory at ``offset``; entries that are damaged or point outside are left out.

    Never raises. Time and memory are bounded: at most 4096 entries are read, and at most ``budget`` bytes of
    values in all (the length of the block where None, because valid values do not overlap).
    """
    left = len(block) if budget is None else budget
    if offset < _HEADER or offset + 2 > len(block):
        return Directory(NO_ENTRIES, 0)
    stated = struct.unpack_from(order + "H", block, offset)[0]
    entries: dict[int, Entry] = {}
    position = offset + 2
    for _ in range(min(stated, (len(block) - position) // _ENTRY, _MAX_ENTRIES)):
        tag, kind, count = struct.unpack_from(order + "HHI", block, position)
        length = _TYPE_SIZES.get(kind, 0) * count
        if 0 < length <= left:
            raw = _value(block, order, position, length)
            if len(raw) == length:
                left -= length
                entries.setdefault(tag, Entry(kind, count, raw))
        position += _ENTRY
    end = offset + 2 + stated * _ENTRY
    following = struct.unpack_from(order + "I", block, end)[0] if end + 4 <= len(block) else 0
    return Directory(entries, following)


def _value(block: Buffer, order: str, position: int, length: int) -> bytes:
    """Return the value of the entry at ``position``, shorter than ``length`` where it lies outside."""
    start = position + 8
    if length > _INLINE:
        start = struct.unpack_from(order + "I", block, start)[0]
    return bytes(block[start : start + length])


def integers(entry: Entry | None, order: str) -> tuple[int, ...]:
    """Return the values of a BYTE, SHORT or LONG entry; empty for any other."""
    if entry is None:
        return ()
    letter = {BYTE: "B", SHORT: "H", LONG: "I"}.get(entry.kind)
    return () if letter is None else struct.unpack(f"{order}{entry.values}{letter}", entry.raw)


def rationals(entry: Entry | None, order: str) -> tuple[float, ...]:
    """Return the values of a RATIONAL entry; empty for any other, or where a denominator is 0."""
    if entry is None or entry.kind != RATIONAL:
        return ()
    parts = struct.unpack(f"{order}{2 * entry.values}I", entry.raw)
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    return tuple(top / bottom for top, bottom in pairs) if all(bottom for _, bottom in pairs) else ()


def parse(block: Buffer) -> ExifBlock | None:
    """Read an EXIF block (with or without its prefix), or the directories of a TIFF file.

    Returns
    -------
    ExifBlock or None
        None where there is no TIFF header; of a damaged block the readable part. Never raises.
    """
    body = block[len(PREFIX) :] if bytes(block[: len(PREFIX)]) == PREFIX else block
    order = byte_order(body)
    if order is None or len(body) < _HEADER:
        return None
    main = read_directory(body, order, struct.unpack_from(order + "I", body, 4)[0])
    return ExifBlock(
        order,
        main.entries,
        _follow(body, order, main.entries.get(EXIF_POINTER)),
        _follow(body, order, main.entries.get(GPS_POINTER)),
        bool(read_directory(body, order, main.next_offset).entries) if main.next_offset else False,
    )


def _follow(block: Buffer, order: str, pointer: Entry | None) -> Mapping[int, Entry]:
    """Return the entries of the directory that ``pointer`` names; empty where it names none."""
    offsets = integers(pointer, order)
    return read_directory(block, order, offsets[0]).entries if offsets else NO_ENTRIES


def orientation(block: ExifBlock | None) -> int:
    """Return the EXIF orientation, 1..8; anything missing, damaged or out of range counts as 1."""
    if block is None:
        return 1
    values = integers(block.main.get(ORIENTATION), block.order)
    return values[0] if len(values) == 1 and 1 <= values[0] <= 8 else 1  # noqa: PLR2004 - the range of the tag


def build(block: ExifBlock) -> bytes:
    """Return ``block`` as a newly written EXIF block with its prefix, without thumbnail and unused bytes.

    The pointers to the Exif and GPS directories are computed.
    """
    order = block.order
    start = struct.pack(order + "HI", 42, _HEADER)
    main = dict(block.main)
    for pointer, entries in ((EXIF_POINTER, block.exif), (GPS_POINTER, block.gps)):
        main.pop(pointer, None)
        if entries:
            main[pointer] = Entry(LONG, 1, struct.pack(order + "I", 0))
    # The length of a directory does not depend on its pointers: measure it first.
    offset = _HEADER + len(_directory(main, order, 0))
    tail = b""
    for pointer, entries in ((EXIF_POINTER, block.exif), (GPS_POINTER, block.gps)):
        if entries:
            main[pointer] = Entry(LONG, 1, struct.pack(order + "I", offset + len(tail)))
            tail += _directory(entries, order, offset + len(tail))
    return PREFIX + (b"II" if order == "<" else b"MM") + start + _directory(main, order, _HEADER) + tail


def _directory(entries: Mapping[int, Entry], order: str, offset: int) -> bytes:
    """Return a directory for ``offset``, followed by the values that do not fit into its entries."""
    table = struct.pack(order + "H", len(entries))
    values = b""
    values_at = offset + 2 + len(entries) * _ENTRY + 4
    for tag, entry in sorted(entries.items()):
        if len(entry.raw) <= _INLINE:
            field_bytes = entry.raw.ljust(_INLINE, b"\x00")
        else:
            field_bytes = struct.pack(order + "I", values_at + len(values))
            values += entry.raw + b"\x00" * (len(entry.raw) % 2)
        table += struct.pack(order + "HHI", tag, entry.kind, entry.values) + field_bytes
    return table + struct.pack(order + "I", 0) + values
