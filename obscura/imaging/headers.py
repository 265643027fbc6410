"""Read format, size, frames and scans from a file's structure, without decoding.

Standard library only, linear time. Any input gives either a `PhotoHeader` or an error of `obscura.errors`.
"""

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from obscura.errors import (
    AnimatedPhotoError,
    EmptyPhotoError,
    TruncatedPhotoError,
    UndecodablePhotoError,
    UnsupportedFormatError,
)
from obscura.geometry import Size
from obscura.imaging.containers import isobmff
from obscura.imaging.containers.jpeg_png_webp_gif import (
    EOI,
    FRAME_MARKERS,
    GIF_IMAGE,
    GIF_TRAILER,
    PNG_SIGNATURE,
    SOI,
    SOS,
    gif_blocks,
    jpeg_segments,
    png_chunks,
    riff_chunks,
    riff_end,
)
from obscura.imaging.containers.tiff import inspect_tiff
from obscura.imaging.formats import Buffer, PhotoFormat, PhotoHeader

__all__ = ["PhotoFormat", "PhotoHeader", "inspect", "sniff"]

_MAGIC: Final[tuple[tuple[bytes, PhotoFormat], ...]] = (
    (b"\xff\xd8\xff", PhotoFormat.JPEG),
    (PNG_SIGNATURE, PhotoFormat.PNG),
    (b"GIF87a", PhotoFormat.GIF),
    (b"GIF89a", PhotoFormat.GIF),
    (b"II*\x00", PhotoFormat.TIFF),
    (b"MM\x00*", PhotoFormat.TIFF),
    (b"BM", PhotoFormat.BMP),
)
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_SEQUENCE_BRANDS: Final = frozenset({b"avis", b"msf1", b"hevc", b"hevx"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_NEUTRAL_BRANDS: Final = frozenset({b"mif1", b"msf1"})
"""Brands that do not name the codec; the compatible brands do."""

_BMP_CORE: Final = 12
_BMP_INFO: Final = 40
_BMP_UNCOMPRESSED: Final = (0, 3, 6)
_BMP_RLE: Final = (1, 2)


def sniff(data: Buffer) -> PhotoFormat | None:
    """Return the format by the first bytes; None where it is none of `PhotoFormat`."""
    head = bytes(data[:16])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return PhotoFormat.WEBP
    if head[4:8] == b"ftyp":
        return _sniff_boxes(data)
    return next((found for magic, found in _MAGIC if head.startswith(magic)), None)


def _sniff_boxes(data: Buffer) -> PhotoFormat | None:
    """Return the format by the brands of an ftyp box."""
    major, *others = isobmff.brands(data)
    if major in _AVIF_BRANDS or (major in _NEUTRAL_BRANDS and not _AVIF_BRANDS.isdisjoint(others)):
        return PhotoFormat.AVIF
    return PhotoFormat.HEIC if major in _HEIC_BRANDS else None


def inspect(data: Buffer) -> PhotoHeader:
    """Read the structure of a picture file without decoding it.

    Parameters
    ----------
    data
        All bytes of the file.

    Raises
    ------
    EmptyPhotoError
        If there are no bytes.
    UnsupportedFormatError
        If the format is not supported.
    TruncatedPhotoError
        If the file ends before the size of its picture.
    UndecodablePhotoError
        If the structure contradicts its format.
    """
    if len(data) == 0:
        message = "the file is empty"
        raise EmptyPhotoError(message)
    found = sniff(data)
    reader = None if found is None else _READERS.get(found)
    if reader is None:
        name = "this kind of file" if found is None else found.name
        message = f"{name} is not accepted; send a JPEG, PNG, WebP, TIFF, HEIC, AVIF, BMP or GIF picture"
        raise UnsupportedFormatError(message)
    try:
        header = reader(data)
    except (struct.error, IndexError) as error:
        message = "the file ends inside its header"
        raise TruncatedPhotoError(message) from error
    if header.size.width <= 0 or header.size.height <= 0:
        message = "the picture has no width or no height"
        raise UndecodablePhotoError(message)
    return header


def _inspect_jpeg(data: Buffer) -> PhotoHeader:
    """Read a JPEG: its one frame header, its scans, and whether EOI follows them."""
    size: Size | None = None
    bits, scans, ended = 8, 0, False
    for segment in jpeg_segments(data):
        if segment.marker == SOI or (segment.marker in FRAME_MARKERS and size is not None):
            message = "a JPEG with a second picture inside the first"
            raise UndecodablePhotoError(message)
        if segment.marker in FRAME_MARKERS:
            bits, height, width = struct.unpack_from(">BHH", data, segment.body)
            size = Size(width, height)
        scans += segment.marker == SOS
        ended = segment.marker == EOI
    if size is None or scans == 0:
        message = "a JPEG without a picture in it"
        raise (UndecodablePhotoError if ended else TruncatedPhotoError)(message)
    return PhotoHeader(PhotoFormat.JPEG, size, scans=scans, complete=ended, bits=bits)


def _inspect_png(data: Buffer) -> PhotoHeader:
    """Read a PNG: IHDR, the animation chunks, and whether IEND is there."""
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    if bytes(data[12:16]) != b"IHDR":
        message = "a PNG that does not begin with IHDR"
        raise UndecodablePhotoError(message)
    names: Counter[bytes] = Counter()
    stated, still_apart = 1, False
    for chunk in png_chunks(data):
        if chunk.name == b"IDAT" and not names[b"IDAT"]:
            still_apart = names[b"fcTL"] == 0
        if chunk.name == b"acTL" and not names[b"IDAT"]:
            stated = struct.unpack_from(">I", data, chunk.body)[0]
        names[chunk.name] += 1
    frames = max(1, stated, names[b"fcTL"])
    if still_apart and names[b"fdAT"]:
        frames += 1  # The still picture for old viewers counts in addition to the animation.
    complete = bool(names[b"IEND"] and names[b"IDAT"])
    return PhotoHeader(PhotoFormat.PNG, Size(width, height), frames=frames, complete=complete, bits=bits)


def _inspect_webp(data: Buffer) -> PhotoHeader:
    """Read a WebP: canvas or bitstream size, whichever is larger, its frames, and its RIFF size."""
    names: Counter[bytes] = Counter()
    width, height = 0, 0
    for chunk in riff_chunks(data):
        names[chunk.name] += 1
        stated = _webp_size(chunk.name, bytes(data[chunk.body : chunk.body + min(chunk.length, 10)]))
        width, height = max(width, stated.width), max(height, stated.height)
    pictures = names[b"VP8 "] + names[b"VP8L"] + names[b"ANMF"]
    whole = riff_end(data) <= len(data)
    if pictures == 0:
        message = "a WebP without a picture in it"
        raise (UndecodablePhotoError if whole else TruncatedPhotoError)(message)
    return PhotoHeader(PhotoFormat.WEBP, Size(width, height), frames=max(1, names[b"ANMF"]), complete=whole)


def _webp_size(name: bytes, body: bytes) -> Size:
    """Return the size that a WebP chunk states in its first 10 bytes; 0 x 0 for a chunk that states none."""
    if name == b"VP8X":
        return Size(1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return Size(width & 0x3FFF, height & 0x3FFF)
    if name == b"VP8L":
        packed = struct.unpack_from("<I", body, 1)[0]
        return Size(1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF))
    return Size(0, 0)


def _inspect_bmp(data: Buffer) -> PhotoHeader:
    """Read a BMP: its info header and, where rows are not run-length coded, the length of its pixel data."""
    first_pixel, info = struct.unpack_from("<II", data, 10)
    compression = 0
    if info == _BMP_CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    elif info >= _BMP_INFO:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    else:
        message = "a BMP of an unknown version"
        raise UndecodablePhotoError(message)
    if compression not in _BMP_UNCOMPRESSED + _BMP_RLE:
        message = "a BMP with another picture format inside"
        raise UndecodablePhotoError(message)
    size = Size(width, abs(height))
    row = (max(width, 0) * bits + 31) // 32 * 4
    needed = first_pixel + row * size.height if compression in _BMP_UNCOMPRESSED else first_pixel
    return PhotoHeader(PhotoFormat.BMP, size, complete=needed <= len(data))


def _inspect_gif(data: Buffer) -> PhotoHeader:
    """Read a GIF: the screen with every frame inside, the frames, and whether the trailer is there."""
    width, height = struct.unpack_from("<HH", data, 6)
    frames, ended = 0, False
    for block in gif_blocks(data):
        if block.kind == GIF_IMAGE:
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, block.body)
            # A frame may exceed the logical screen; decoders then enlarge it.
            width, height = max(width, left + frame_width), max(height, top + frame_height)
            frames += 1
        ended = block.kind == GIF_TRAILER
    if ended and frames == 0:
        message = "a GIF without a picture in it"
        raise UndecodablePhotoError(message)
    return PhotoHeader(PhotoFormat.GIF, Size(width, height), frames=max(1, frames), complete=ended)


def _inspect_boxes(data: Buffer) -> PhotoHeader:
    """Read a HEIC or AVIF: the largest size stated in it, its frames, and whether its items are complete."""
    major = bytes(data[8:12])
    meta = isobmff.read_meta(data)
    frames = max(isobmff.frames(data), 2 if major in _SEQUENCE_BRANDS else 1)
    sizes = [] if meta is None else [size for size in isobmff.sizes(data, meta) if size.pixels > 0]
    if meta is None or not sizes:
        if frames > 1:
            message = "an animation; send one picture"
            raise AnimatedPhotoError(message)
        message = "the file does not tell the size of its picture"
        raise (UndecodablePhotoError if isobmff.ends_whole(data) else TruncatedPhotoError)(message)
    return PhotoHeader(
        PhotoFormat.AVIF if sniff(data) is PhotoFormat.AVIF else PhotoFormat.HEIC,
        max(sizes, key=lambda size: (size.pixels, size.long_side)),
        frames=frames,
        complete=isobmff.is_whole(data, meta),
        bits=isobmff.bits(data, meta),
    )


_READERS: Final[Mapping[PhotoFormat, Callable[[Buffer], PhotoHeader]]] = MappingProxyType(
    {
        PhotoFormat.JPEG: _inspect_jpeg,
        PhotoFormat.PNG: _inspect_png,
        PhotoFormat.WEBP: _inspect_webp,
        PhotoFormat.TIFF: inspect_tiff,
        PhotoFormat.BMP: _inspect_bmp,
        PhotoFormat.GIF: _inspect_gif,
        PhotoFormat.HEIC: _inspect_boxes,
        PhotoFormat.AVIF: _inspect_boxes,
    }
)
