"""Read the directory of an uploaded zip under limits; `zip_members` reads its members.

`zipfile` keeps all entries of a directory in memory, refuses a whole archive for one damaged entry, and does
not detect overlapping entries.

Source: PKWARE APPNOTE 6.3.10, sections 4.3 (layout), 4.4 (fields) and 4.5.3 (zip64).
"""

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import BinaryIO, Final

from obscura.errors import (
    ArchiveTooLargeError,
    InvalidRequestError,
    TooManyFilesError,
)
from obscura.wording import megabytes

__all__ = ["LOCAL", "ArchiveLimits", "Entry", "read_directory"]

MAX_RATIO: Final = 100
"""Largest ratio of unpacked bytes to bytes of the archive: photos have 1 to 3, deflate at most 1032."""
FREE_BYTES: Final = 64 << 20
"""Unpacked bytes up to which the ratio is not checked."""
DIRECTORY_BYTES: Final = 1024
"""Directory bytes per allowed file; twice as many are accepted, for folders."""

_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")
_END_SIGN: Final = b"PK\x05\x06"
_END64_LOCATOR_SIGN: Final = b"PK\x06\x07"
_END64_SIGN: Final = b"PK\x06\x06"
_CENTRAL_SIGN: Final = b"PK\x01\x02"
_MAX_COMMENT: Final = 65_535
_ZIP64_TAG: Final = 1
_FULL_32: Final = 0xFFFF_FFFF
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
_MOST_ENDS: Final = 64
"""Signatures of end records that are tried, because a comment may contain some."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Limits of an archive.

    Attributes
    ----------
    max_files
        Files in it; folders do not count.
    max_file_bytes
        Unpacked bytes above which a file is refused alone, without being unpacked.
    max_bytes
        Unpacked bytes of all other files together.
    """

    max_files: int
    max_file_bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The directory entry of a file in an archive.

    Attributes
    ----------
    name
        As stored; must not be used as a path.
    method, flags, crc
        See APPNOTE 4.4.
    packed, unpacked
        Bytes.
    start, stop
        Offset of its local header, and of the next file or the directory.
    fault
        Why it cannot be unpacked; empty where no fault is known.
    """

    name: str
    method: int
    flags: int
    crc: int
    packed: int
    unpacked: int
    start: int
    stop: int = 0
    fault: str = ""


def read_directory(file: BinaryIO, limits: ArchiveLimits) -> list[Entry]:
    """Return the files of a zip in the order of its directory, without its folders.

    A damaged entry is returned with its ``fault``.

    Raises
    ------
    InvalidRequestError
        If the file is not a zip, or its directory is damaged.
    TooManyFilesError
        If there are more files than allowed, or the directory is too long for them.
    ArchiveTooLargeError
        If the files are too large in all, have too high a compression ratio, or overlap.
    """
    length = file.seek(0, os.SEEK_END)
    start, size, base = _directory_place(file, length)
    most = DIRECTORY_BYTES * 2 * limits.max_files + _MAX_COMMENT
    if size > most:
        message = f"the archive's directory has {size} bytes; {limits.max_files} files need at most {most}"
        raise TooManyFilesError(message)
    file.seek(start)
    entries = [item for item in _entries(file.read(size), base) if not item.name.endswith("/")]
    if len(entries) > limits.max_files:
        message = f"the archive has {len(entries)} files, at most {limits.max_files} are taken"
        raise TooManyFilesError(message)
    entries = _placed(entries, start)
    _check_sizes(entries, length, limits)
    return entries


def _directory_place(file: BinaryIO, length: int) -> tuple[int, int, int]:
    """Return start and size of the central directory, and the base of the offsets in it.

    Other data may precede a zip; its offsets then count from the beginning of the zip itself.
    """
    tail_start = max(0, length - _MAX_COMMENT - _END.size)
    file.seek(tail_start)
    tail = file.read(_MAX_COMMENT + _END.size)
    found = _end_record(tail)
    *_, size, offset, _ = _END.unpack_from(tail, found)
    end = tail_start + found
    if end >= _END64_LOCATOR.size:
        file.seek(end - _END64_LOCATOR.size)
        sign, _, end64, _ = _END64_LOCATOR.unpack(file.read(_END64_LOCATOR.size))
        if sign == _END64_LOCATOR_SIGN:
            # Read directly in front of its locator, as `zipfile` does; the locator's offset may be wrong.
            end -= _END64_LOCATOR.size + _END64.size
            if end < 0 or end64 > length:
                raise _no_zip()
            file.seek(end)
            sign, *_, size, offset = _END64.unpack(file.read(_END64.size))
            if sign != _END64_SIGN:
                raise _no_zip()
    start = end - size
    if start < 0 or offset > start:
        raise _no_zip()
    return start, size, start - offset


def _end_record(tail: bytes) -> int:
    """Return the position of the end record in the last bytes of a file.

    It is the last one whose comment ends with the file, otherwise the last one: some programs append a line.
    """
    places: list[int] = []
    place = tail.rfind(_END_SIGN)
    while place >= 0 and len(places) < _MOST_ENDS:
        if place + _END.size <= len(tail):
            places.append(place)
            if place + _END.size + _END.unpack_from(tail, place)[-1] == len(tail):
                return place
        place = tail.rfind(_END_SIGN, 0, place)
    if not places:
        raise _no_zip()
    return places[0]


def _no_zip() -> InvalidRequestError:
    return InvalidRequestError("the archive is no zip that can be read")


def _entries(directory: bytes, base: int) -> Iterator[Entry]:
    """Yield the entries of a central directory."""
    position = 0
    while position < len(directory):
        if position + _CENTRAL.size > len(directory):
            raise _no_zip()
        parts = _CENTRAL.unpack_from(directory, position)
        sign, flags, method, crc, packed, unpacked = parts[0], parts[3], parts[4], *parts[7:10]
        name_length, extra_length, comment_length, offset = *parts[10:13], parts[16]
        name_at = position + _CENTRAL.size
        extra_at = name_at + name_length
        position = extra_at + extra_length + comment_length
        if sign != _CENTRAL_SIGN or position > len(directory):
            raise _no_zip()
        name = directory[name_at:extra_at].decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        try:
            unpacked, packed, offset = _zip64(
                directory[extra_at : extra_at + extra_length], (unpacked, packed, offset)
            )
            fault = "is closed with a password" if flags & _ENCRYPTED else ""
        except struct.error:
            fault = "has a damaged entry in the directory"
        yield Entry(name, method, flags, crc, packed, unpacked, base + offset, fault=fault)


def _zip64(extra: bytes, stated: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return sizes and offset with those taken from the zip64 field that do not fit 32 bits.

    Raises
    ------
    struct.error
        If the field is too short.
    """
    if _FULL_32 not in stated:
        return stated
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, position)
        if tag == _ZIP64_TAG:
            field = extra[position + 4 : position + 4 + length]
            wide = iter(struct.unpack_from(f"<{stated.count(_FULL_32)}Q", field))
            first, second, third = (next(wide) if value == _FULL_32 else value for value in stated)
            return first, second, third
        position += 4 + length
    return stated


def _placed(entries: Sequence[Entry], directory: int) -> list[Entry]:
    """Return the entries with their ends; raise ArchiveTooLargeError where two overlap."""
    checked = [
        replace(item, fault="is outside the archive")
        if not item.fault and _least_end(item) > directory
        else item
        for item in entries
    ]
    order = sorted((item.start, number) for number, item in enumerate(checked) if not item.fault)
    for (_, number), (start, _) in pairwise(order):
        if _least_end(checked[number]) > start:
            message = "files of the archive overlap"
            raise ArchiveTooLargeError(message)
        checked[number] = replace(checked[number], stop=start)
    if order:
        last = order[-1][1]
        checked[last] = replace(checked[last], stop=directory)
    return checked


def _least_end(item: Entry) -> int:
    """Return the smallest possible end of a file, whose local header may be longer."""
    return item.start + LOCAL.size + item.packed


def _check_sizes(entries: Sequence[Entry], length: int, limits: ArchiveLimits) -> None:
    """Raise an error where the files are too large in all; those refused alone do not count."""
    sizes = (item.unpacked for item in entries if not item.fault)
    total = sum(size for size in sizes if size <= limits.max_file_bytes)
    if total > limits.max_bytes:
        message = f"the archive holds {megabytes(total)}; at most {megabytes(limits.max_bytes)} are unpacked"
        raise ArchiveTooLargeError(message)
    if total > max(FREE_BYTES, MAX_RATIO * length):
        message = (
            f"the archive has {length} bytes and holds {total}: more than {MAX_RATIO} times as many are not "
            "unpacked"
        )
        raise ArchiveTooLargeError(message)
