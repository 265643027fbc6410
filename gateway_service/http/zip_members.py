"""Unpack one member of a zip in pieces and check it against its directory entry.

`zipfile` unpacks bzip2 and LZMA without a limit: 160 bytes of bzip2 become 200 MB of zeros. Here every method
returns at most `_PIECE` bytes at a time.

Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.4.5 (methods) and 5.8 (LZMA).
"""

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final, cast

from gateway_service.http.zip_reader import LOCAL, Entry
from obscura.errors import PhotoTooLargeError, UndecodablePhotoError
from obscura.wording import megabytes

__all__ = ["open_member"]

MAX_DICTIONARY: Final = 64 << 20
"""Largest LZMA dictionary in bytes; a decoder allocates it before the first byte."""

_LOCAL_SIGN: Final = b"PK\x03\x04"
_PIECE: Final = 64 * 1024
"""Bytes that are read or unpacked at once."""
_LZMA_HEAD: Final = 9
_LZMA_PROPERTIES: Final = 5
_LZMA_LEAST: Final = 4096
_FAULTS: Final = (EOFError, ValueError, struct.error, zlib.error, lzma.LZMAError)
"""Exceptions of the decompressors for a damaged member; bzip2 raises OSError."""


def open_member(file: BinaryIO, entry: Entry, max_bytes: int) -> BinaryIO:
    """Return a readable file of a member, which is unpacked as far as it is read.

    Its ``read`` raises PhotoTooLargeError where the member has more than ``max_bytes`` by its entry, and
    UndecodablePhotoError where it is damaged, encrypted or of an unsupported method. Members must be read one
    at a time, because all share ``file``.
    """
    return cast("BinaryIO", _Member(file, entry, max_bytes))


class _Slice(io.RawIOBase):
    """A read-only part of a file."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._file, self._position, self._end = file, start, start + length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        left = self._end - self._position
        self._file.seek(self._position)
        data = self._file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data


class _Member(io.BufferedIOBase):
    """See `open_member`."""

    def __init__(self, file: BinaryIO, entry: Entry, max_bytes: int) -> None:
        super().__init__()
        self._entry, self._max_bytes = entry, max_bytes
        self._pieces = _pieces(file, entry)
        self._ready = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end of the member."""
        if self._entry.unpacked > self._max_bytes and not self._entry.fault:
            most = megabytes(self._max_bytes)
            message = f"the file has {megabytes(self._entry.unpacked)}; at most {most} are accepted"
            raise PhotoTooLargeError(message)
        wanted = self._entry.unpacked if size is None or size < 0 else size
        found = bytearray(self._ready)
        try:
            while len(found) < wanted:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                found += piece
        except (*_FAULTS, OSError) as error:
            # bz2 raises OSError without errno; with errno it is an error of the disk.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            message = _message("is damaged")
            raise UndecodablePhotoError(message) from None
        self._ready = bytes(found[wanted:])
        return bytes(found[:wanted])


def _pieces(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """Yield the unpacked bytes of a member and check its stated length and checksum."""
    part = _data_of(file, entry)
    left, checksum = entry.unpacked, 0
    if entry.method not in _UNPACKERS:
        message = _message(f"is packed by method {entry.method}, which is not known here")
        raise UndecodablePhotoError(message)
    for piece in _UNPACKERS[entry.method](part) if left else ():
        kept = piece[:left]
        left -= len(kept)
        checksum = zlib.crc32(kept, checksum)
        yield kept
        if not left:
            break
    if left or checksum != entry.crc:
        message = _message("is damaged: its length or its checksum is not the stated one")
        raise UndecodablePhotoError(message)


def _data_of(file: BinaryIO, entry: Entry) -> _Slice:
    """Check the local header of a member and return the data behind it."""
    if entry.fault:
        message = _message(entry.fault)
        raise UndecodablePhotoError(message)
    file.seek(entry.start)
    sign, *_, name_length, extra_length = LOCAL.unpack(file.read(LOCAL.size))
    start = entry.start + LOCAL.size + name_length + extra_length
    if sign != _LOCAL_SIGN or start + entry.packed > entry.stop:
        message = _message("is not where the directory says")
        raise UndecodablePhotoError(message)
    return _Slice(file, start, entry.packed)


def _stored(part: _Slice) -> Iterator[bytes]:
    while piece := part.read(_PIECE):
        yield piece


def _inflated(part: _Slice) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    while not unpacker.eof:
        packed = unpacker.unconsumed_tail or part.read(_PIECE)
        piece = unpacker.decompress(packed, _PIECE)
        if not packed and not piece:
            return
        yield piece


def _unpacked(unpacker: "bz2.BZ2Decompressor | lzma.LZMADecompressor", part: _Slice) -> Iterator[bytes]:
    while not unpacker.eof:
        packed = part.read(_PIECE) if unpacker.needs_input else b""
        piece = unpacker.decompress(packed, _PIECE)
        if not packed and not piece:
            return
        yield piece


def _bunzipped(part: _Slice) -> Iterator[bytes]:
    return _unpacked(bz2.BZ2Decompressor(), part)


def _unlzmaed(part: _Slice) -> Iterator[bytes]:
    """Unpack method 14: two bytes of version, the length of the properties, those, and a raw stream."""
    _, _, length, bits, dictionary = struct.unpack("<BBHBL", part.read(_LZMA_HEAD))
    if length != _LZMA_PROPERTIES or bits >= 9 * 5 * 5:
        message = _message("is damaged")
        raise UndecodablePhotoError(message)
    if dictionary > MAX_DICTIONARY:
        message = _message(f"needs {dictionary} bytes of memory; at most {MAX_DICTIONARY} are given")
        raise UndecodablePhotoError(message)
    literals, rest = bits % 9, bits // 9
    settings = {"dict_size": max(dictionary, _LZMA_LEAST), "lc": literals, "lp": rest % 5, "pb": rest // 5}
    filters = [{"id": lzma.FILTER_LZMA1, **settings}]
    return _unpacked(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), part)


_UNPACKERS: Final[Mapping[int, Callable[[_Slice], Iterator[bytes]]]] = {
    0: _stored,
    8: _inflated,
    12: _bunzipped,
    14: _unlzmaed,
}
"""By method number, see APPNOTE 4.4.5."""


def _message(fault: str) -> str:
    return f"the file in the archive {fault}"
