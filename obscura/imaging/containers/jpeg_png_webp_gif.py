"""Walk the segments and chunks of JPEG, PNG, WebP and GIF files. Standard library only.

Each iterator takes linear time and stops at the end of the file. It yields the closing part (EOI, IEND,
trailer) only where the file has one: a missing closing part means a truncated file.

Sources: ITU-T T.81 annex B (JPEG), the PNG specification (third edition) section 5, the WebP container
specification, GIF89a.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from obscura.errors import UndecodablePhotoError
from obscura.imaging.formats import Buffer

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

SOI: Final = 0xD8
EOI: Final = 0xD9
SOS: Final = 0xDA
COM: Final = 0xFE
APP0: Final = 0xE0
APP1: Final = 0xE1
APP2: Final = 0xE2
APP13: Final = 0xED
APP14: Final = 0xEE
APP15: Final = 0xEF
FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0..SOF15: all of C0..CF but DHT, JPG and DAC."""

GIF_EXTENSION: Final = 0x21
GIF_IMAGE: Final = 0x2C
GIF_TRAILER: Final = 0x3B

# Stuffed zeros, fill bytes, restart markers and TEM have no segment. One FF per match, not FF+, which takes
# quadratic time in a run of fill bytes.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_MAX_SEGMENTS: Final = 20_000
_MAX_CHUNKS: Final = 500_000
_MAX_GIF_BLOCKS: Final = 500_000
_MIN_SEGMENT: Final = 2
_CHUNK_HEAD: Final = 8
_CHUNK_TAIL: Final = 4
_GIF_HEAD: Final = 13


class Segment(NamedTuple):
    """A JPEG marker segment: ``data[start:end]``, its payload ``data[body:end]``.

    The segment of an SOS marker includes the entropy-coded data behind it.
    """

    marker: int
    start: int
    body: int
    end: int


class Chunk(NamedTuple):
    """A PNG or RIFF chunk: ``data[start:end]``, its payload ``data[body : body + length]``."""

    name: bytes
    start: int
    body: int
    length: int
    end: int


class GifBlock(NamedTuple):
    """A GIF block: its introducer, the extension's label (0 for others), and its position."""

    kind: int
    label: int
    start: int
    body: int
    end: int


def jpeg_segments(data: Buffer) -> Iterator[Segment]:
    """Yield the segments of the first picture in a JPEG file, from behind SOI to EOI inclusive.

    Raises
    ------
    UndecodablePhotoError
        If a segment states an impossible length, or there are more segments than any photo has.
    """
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _NEXT_MARKER.search(data, position)
        if found is None:
            return
        start = found.start()
        marker = data[start + 1]
        if marker in (SOI, EOI):
            yield Segment(marker, start, start + 2, start + 2)
            if marker == EOI:
                return
            position = start + 2
            continue
        if start + 4 > len(data):
            return
        length = int.from_bytes(data[start + 2 : start + 4])
        if length < _MIN_SEGMENT:
            message = "a JPEG segment states an impossible length"
            raise UndecodablePhotoError(message)
        end = start + 2 + length
        if end > len(data):
            return
        position = _after_entropy(data, end) if marker == SOS else end
        yield Segment(marker, start, start + 4, position)
    message = "a JPEG with more segments than any photo has"
    raise UndecodablePhotoError(message)


def _after_entropy(data: Buffer, start: int) -> int:
    """Return the end of the entropy-coded data that begins at ``start``."""
    found = _NEXT_MARKER.search(data, start)
    return len(data) if found is None else found.start()


def png_chunks(data: Buffer) -> Iterator[Chunk]:
    """Yield the chunks of a PNG file up to IEND inclusive; a truncated chunk is not yielded.

    Raises
    ------
    UndecodablePhotoError
        If there are more chunks than any photo has.
    """
    position = len(PNG_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + _CHUNK_HEAD + _CHUNK_TAIL > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + _CHUNK_HEAD + length + _CHUNK_TAIL
        if end > len(data):
            return
        yield Chunk(name, position, position + _CHUNK_HEAD, length, end)
        if name == b"IEND":
            return
        position = end
    message = "a PNG with more chunks than any photo has"
    raise UndecodablePhotoError(message)


def riff_chunks(data: Buffer) -> Iterator[Chunk]:
    """Yield the chunks of a WebP file that lie wholly inside both the file and its stated RIFF size.

    Raises
    ------
    UndecodablePhotoError
        If there are more chunks than any photo has.
    """
    stop = min(len(data), riff_end(data))
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + _CHUNK_HEAD > stop:
            return
        name, length = struct.unpack_from("<4sI", data, position)
        body = position + _CHUNK_HEAD
        if body + length > stop:
            return
        end = body + length + length % 2
        yield Chunk(name, position, body, length, end)
        position = end
    message = "a WebP with more chunks than any photo has"
    raise UndecodablePhotoError(message)


def riff_end(data: Buffer) -> int:
    """Return the end offset stated in the header of a RIFF file of at least 8 bytes."""
    return 8 + int.from_bytes(data[4:8], "little")


def gif_blocks(data: Buffer) -> Iterator[GifBlock]:
    """Yield the blocks of a GIF file up to its trailer inclusive; a truncated block is not yielded.

    Raises
    ------
    UndecodablePhotoError
        If a block has an unknown introducer, or there are more than `_MAX_GIF_BLOCKS`.
    """
    if len(data) < _GIF_HEAD:
        return
    position = _GIF_HEAD + _gif_colours(data[10])
    budget = _MAX_GIF_BLOCKS
    while position < len(data):
        kind = data[position]
        body = position + 1
        if kind == GIF_TRAILER:
            yield GifBlock(kind, 0, position, body, body)
            return
        if kind == GIF_IMAGE and position + 10 < len(data):
            sub_blocks = position + 11 + _gif_colours(data[position + 9])
        elif kind == GIF_EXTENSION:
            sub_blocks = position + 2
        elif kind == GIF_IMAGE:
            return
        else:
            message = "a GIF with something else where a block must be"
            raise UndecodablePhotoError(message)
        end, budget = _skip_sub_blocks(data, sub_blocks, budget)
        if end > len(data):
            return
        label = data[body] if kind == GIF_EXTENSION else 0
        yield GifBlock(kind, label, position, body, end)
        position = end


def _gif_colours(flags: int) -> int:
    """Return the length in bytes of a GIF colour table, from the flags of its descriptor."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(data: Buffer, position: int, budget: int) -> tuple[int, int]:
    """Return the position behind a chain of sub-blocks (past the file's end if cut) and the budget left."""
    while position < len(data):
        length = data[position]
        position += 1 + length
        if length == 0:
            return position, budget
        budget -= 1
        if budget <= 0:
            message = "a GIF with more blocks than any photo has"
            raise UndecodablePhotoError(message)
    return len(data) + 1, budget
