"""A generator of zips that no program writes: overlapping, lying, damaged, enormous."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
FULL = 0xFFFF_FFFF


@dataclass(frozen=True)
class Member:
    """A member: what is stored of it, and what local header and directory say, as told or as it is.

    Attributes
    ----------
    data
        Unpacked.
    packed
        What stands in the archive; None for ``data`` packed by ``method``.
    unpacked, offset
        What the directory says; None for the truth. Offsets and sizes of 32 bits and more go into zip64.
    shares
        Number of an earlier member whose local header and data this one uses; None for its own.
    """

    name: str
    data: bytes
    method: int = STORED
    packed: bytes | None = None
    unpacked: int | None = None
    offset: int | None = None
    crc: int | None = None
    flags: int = 0
    shares: int | None = None
    extra: bytes = b""


def packed(data: bytes, method: int) -> bytes:
    """Return data as a zip holds them."""
    match method:
        case 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            return packer.compress(data) + packer.flush()
        case 12:
            return bz2.compress(data)
        case 14:
            filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}]
            properties = struct.pack("<BI", 93, 1 << 20)
            raw = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
            return struct.pack("<BBH", 9, 4, len(properties)) + properties + raw
        case _:
            return data


def archive(members: Sequence[Member], prefix: bytes = b"") -> bytes:
    """Return a zip of these members, behind ``prefix``."""
    body = bytearray(prefix)
    directory = bytearray()
    places: list[tuple[int, int]] = []
    for member in members:
        stored = member.packed if member.packed is not None else packed(member.data, member.method)
        crc = zlib.crc32(member.data) if member.crc is None else member.crc
        name = member.name.encode()
        if member.shares is None:
            places.append((len(body) - len(prefix), len(stored)))
            body += _local(member, name, stored, crc)
        else:
            places.append(places[member.shares])
        true_offset, length = places[-1]
        offset = true_offset if member.offset is None else member.offset
        unpacked = len(member.data) if member.unpacked is None else member.unpacked
        directory += _central(member, name, crc, (unpacked, length, offset))
    start = len(body) - len(prefix)
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, len(members) & 0xFFFF, len(members) & 0xFFFF, len(directory), start, 0
    )
    return bytes(body + directory + end)


def _local(member: Member, name: bytes, stored: bytes, crc: int) -> bytes:
    head = struct.pack(
        "<4s5H3L2H",
        *(b"PK\3\4", 20, member.flags, member.method, 0, 0x21, crc),
        *(len(stored), min(len(member.data), FULL), len(name), 0),
    )
    return head + name + stored


def _central(member: Member, name: bytes, crc: int, numbers: tuple[int, int, int]) -> bytes:
    unpacked, length, offset = numbers
    wide = b"".join(struct.pack("<Q", value) for value in numbers if value >= FULL)
    extra = (struct.pack("<HH", 1, len(wide)) + wide if wide else b"") + member.extra
    return (
        struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 20, 20, member.flags, member.method, 0, 0x21, crc, min(length, FULL)),
            *(min(unpacked, FULL), len(name), len(extra), 0, 0, 0, 0, min(offset, FULL)),
        )
        + name
        + extra
    )


def overlapping(count: int = 400, size: int = 18 << 20) -> bytes:
    """Return ``count`` members over one local header: each unpacks to ``size`` zeros."""
    first = Member("0.jpg", bytes(size), DEFLATED)
    stored = packed(first.data, DEFLATED)
    crc = zlib.crc32(first.data)
    others = [Member(first.name, b"", DEFLATED, stored, size, crc=crc, shares=0) for _ in range(1, count)]
    return archive([first, *others])
