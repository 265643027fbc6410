"""Embedded metadata of picture files, and files stripped of it. Standard library only.

`items` yields every part that is not needed to decode the picture; `stripped_file` returns the file without
them, so that no profile, text or preview reaches a decoder's parsers.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from obscura.errors import UndecodablePhotoError
from obscura.imaging.containers import isobmff
from obscura.imaging.containers.jpeg_png_webp_gif import (
    APP0,
    APP1,
    APP2,
    APP13,
    APP14,
    APP15,
    COM,
    EOI,
    GIF_EXTENSION,
    GIF_TRAILER,
    PNG_SIGNATURE,
    gif_blocks,
    jpeg_segments,
    png_chunks,
    riff_chunks,
    riff_end,
)
from obscura.imaging.formats import Buffer, PhotoFormat
from obscura.imaging.metadata import exif
from obscura.imaging.metadata import gpano as panorama

MAX_PROFILE: Final = 4 * 1024 * 1024
"""Largest length in bytes of an ICC profile that is read."""

_ICC_HEAD: Final = b"ICC_PROFILE\x00"
_JFIF_HEAD: Final = b"JFIF\x00"
_ADOBE_HEAD: Final = b"Adobe"
_JFIF_LENGTH: Final = 14

_JPEG_APPS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (APP1, exif.PREFIX, "exif"),
    (APP1, b"http://ns.adobe.com/x", "xmp"),
    (APP2, _ICC_HEAD, "icc"),
    (APP2, b"MPF\x00", "mpf"),
    (APP13, b"", "iptc"),
    (APP0, b"JFXX\x00", "jfif_thumbnail"),
    (COM, b"", "comment"),
)
_PNG_PICTURE: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_FRAMES: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
_PNG_HARMLESS: Final = frozenset(
    {b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"hIST", b"cICP", b"acTL", b"fcTL", b"fdAT"}
)
_PNG_KINDS: Final = {
    b"tEXt": "png_text",
    b"zTXt": "png_text",
    b"iTXt": "png_text",
    b"eXIf": "exif",
    b"iCCP": "icc",
    b"tIME": "time",
}
_WEBP_PICTURE: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_WEBP_KINDS: Final = {b"EXIF": "exif", b"XMP ": "xmp", b"ICCP": "icc"}
_TIFF_KINDS: Final = {
    700: "xmp",
    33723: "iptc",
    34377: "iptc",
    34675: "icc",
    exif.EXIF_POINTER: "exif",
    exif.GPS_POINTER: "exif",
    **dict.fromkeys((269, 270, 271, 272, 285, 305, 306, 315, 316, 33432), "tiff_text"),
}
_TIFF_PRIVATE: Final = 32768
_XMP_CONTENT: Final = b"application/rdf+xml"
_ICC_COLOURS: Final = (b"prof", b"rICC")


class Item(NamedTuple):
    """A part of a file that is not needed for decoding: the name of its kind, and its payload."""

    kind: str
    body: bytes


def items(data: Buffer, photo_format: PhotoFormat) -> Iterator[Item]:
    """Yield every part of a file that is not needed to decode its picture.

    Raises
    ------
    UndecodablePhotoError
        If the structure of the file contradicts its format.
    """
    match photo_format:
        case PhotoFormat.JPEG:
            yield from _jpeg_items(data)
        case PhotoFormat.PNG:
            yield from _png_items(data)
        case PhotoFormat.WEBP:
            yield from _webp_items(data)
        case PhotoFormat.TIFF:
            yield from _tiff_items(data)
        case PhotoFormat.GIF:
            yield from _gif_items(data)
        case PhotoFormat.HEIC | PhotoFormat.AVIF:
            yield from _boxed_items(data)
        case _:
            return


class EmbeddedMetadata(NamedTuple):
    """Metadata of a file that the pipeline uses.

    ``exif`` is the first readable EXIF block; ``profile`` the embedded ICC profile, unchecked, None where it
    is larger than 4 MiB; ``panorama`` a newly written XMP packet with the panorama metadata, empty for other
    pictures.
    """

    exif: exif.ExifBlock | None
    profile: bytes | None
    panorama: bytes


def read_metadata(data: Buffer, photo_format: PhotoFormat) -> EmbeddedMetadata:
    """Return the metadata of a file in one pass through it."""
    # Other parts, which may be longer than the picture, are not kept in memory.
    parts = tuple(item for item in items(data, photo_format) if item.kind in {"exif", "icc", "xmp"})
    return EmbeddedMetadata(
        _exif(data, photo_format, parts),
        _profile(photo_format, parts),
        panorama.packet(item.body for item in parts if item.kind == "xmp"),
    )


def exif_of(data: Buffer, photo_format: PhotoFormat) -> exif.ExifBlock | None:
    """Return the first readable EXIF block of a file, None where there is none."""
    return _exif(data, photo_format, items(data, photo_format))


def _exif(data: Buffer, photo_format: PhotoFormat, parts: Iterable[Item]) -> exif.ExifBlock | None:
    if photo_format is PhotoFormat.TIFF:
        return exif.parse(data)
    blocks = (exif.parse(item.body) for item in parts if item.kind == "exif")
    return next((block for block in blocks if block is not None), None)


def _profile(photo_format: PhotoFormat, every: Iterable[Item]) -> bytes | None:
    parts = [item.body for item in every if item.kind == "icc"]
    if not parts:
        return None
    match photo_format:
        case PhotoFormat.JPEG:
            # Each part begins with its number and the number of parts; they may come in any order.
            profile = b"".join(part[2:] for part in sorted(parts, key=lambda part: part[:1]))
        case PhotoFormat.PNG:
            profile = _inflate(parts[0])
        case PhotoFormat.WEBP | PhotoFormat.TIFF | PhotoFormat.HEIC | PhotoFormat.AVIF:
            profile = parts[0]
        case _:
            return None
    return profile if 0 < len(profile) <= MAX_PROFILE else None


def _inflate(chunk: bytes) -> bytes:
    """Return the profile of an iCCP chunk, at most `MAX_PROFILE` + 1 bytes of it.

    Empty where it is damaged.
    """
    compressed = chunk.partition(b"\x00")[2][1:]
    try:
        return zlib.decompressobj().decompress(compressed, MAX_PROFILE + 1)
    except zlib.error:
        return b""


def stripped_file(data: Buffer, photo_format: PhotoFormat, *, is_animated: bool = False) -> Buffer:
    """Return a JPEG or PNG file without the parts of `items`; a file of another format unchanged.

    The animation frames of a PNG are kept only where ``is_animated``.

    Raises
    ------
    UndecodablePhotoError
        If a PNG chunk that is kept does not have the checksum it states.
    """
    match photo_format:
        case PhotoFormat.JPEG:
            return _stripped_jpeg(data)
        case PhotoFormat.PNG:
            return _stripped_png(data, _PNG_PICTURE | _PNG_FRAMES if is_animated else _PNG_PICTURE)
        case _:
            return data


def _jpeg_items(data: Buffer) -> Iterator[Item]:
    for segment in jpeg_segments(data):
        if segment.marker == EOI and segment.end < len(data):
            yield Item("trailer", bytes(data[segment.end :]))
        if segment.marker == COM or APP0 <= segment.marker <= APP15:
            item = _jpeg_item(segment.marker, bytes(data[segment.body : segment.end]))
            if item is not None:
                yield item


def _jpeg_item(marker: int, body: bytes) -> Item | None:
    """Return the content of an APPn or COM segment.

    None for JFIF and Adobe, which define the colour space.
    """
    for known, head, kind in _JPEG_APPS:
        if marker == known and body.startswith(head):
            return Item(kind, body[len(head) :])
    if marker == APP0 and body.startswith(_JFIF_HEAD):
        return Item("jfif_thumbnail", body[_JFIF_LENGTH:]) if len(body) > _JFIF_LENGTH else None
    if marker == APP14 and body.startswith(_ADOBE_HEAD):
        return None
    return Item("app_data", body)


def _stripped_jpeg(data: Buffer) -> bytes:
    parts = [b"\xff\xd8"]
    for segment in jpeg_segments(data):
        part = bytes(data[segment.start : segment.end])
        is_foreign = segment.marker == COM or APP0 <= segment.marker <= APP15
        if is_foreign and not part[4:].startswith((_JFIF_HEAD, _ADOBE_HEAD)):
            continue
        parts.append(part)
    return b"".join(parts)


def _png_items(data: Buffer) -> Iterator[Item]:
    for chunk in png_chunks(data):
        if chunk.name == b"IEND" and chunk.end < len(data):
            yield Item("trailer", bytes(data[chunk.end :]))
        if chunk.name in _PNG_PICTURE or chunk.name in _PNG_HARMLESS:
            continue
        body = bytes(data[chunk.body : chunk.body + chunk.length])
        is_xmp = chunk.name == b"iTXt" and body.startswith(b"XML:com.adobe.xmp")
        yield Item("xmp" if is_xmp else _PNG_KINDS.get(chunk.name, "private_chunk"), body)


def _stripped_png(data: Buffer, kept: frozenset[bytes]) -> bytes:
    parts = [PNG_SIGNATURE]
    for chunk in png_chunks(data):
        if chunk.name not in kept:
            continue
        part = bytes(data[chunk.start : chunk.end])
        if zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:]):
            message = "a PNG chunk does not have the checksum that it states"
            raise UndecodablePhotoError(message)
        parts.append(part)
    return b"".join(parts)


def _webp_items(data: Buffer) -> Iterator[Item]:
    for chunk in riff_chunks(data):
        if chunk.name not in _WEBP_PICTURE:
            body = bytes(data[chunk.body : chunk.body + chunk.length])
            yield Item(_WEBP_KINDS.get(chunk.name, "private_chunk"), body)
    if riff_end(data) < len(data):
        yield Item("trailer", bytes(data[riff_end(data) :]))


def _tiff_items(data: Buffer) -> Iterator[Item]:
    block = exif.parse(data)
    for tag, entry in block.main.items() if block is not None else ():
        kind = _TIFF_KINDS.get(tag, "private_tags" if tag >= _TIFF_PRIVATE else "")
        if kind:
            yield Item(kind, bytes(data) if kind == "exif" else entry.raw)


def _gif_items(data: Buffer) -> Iterator[Item]:
    kinds = {0x01: "comment", 0xFE: "comment", 0xFF: "app_data"}
    for block in gif_blocks(data):
        if block.kind == GIF_EXTENSION and block.label in kinds:
            yield Item(kinds[block.label], bytes(data[block.body : block.end]))
        if block.kind == GIF_TRAILER and block.end < len(data):
            yield Item("trailer", bytes(data[block.end :]))


def _boxed_items(data: Buffer) -> Iterator[Item]:
    """Yield the metadata of a HEIC or AVIF file.

    A damaged table ends the iteration, validation refuses such files.
    """
    try:
        meta = isobmff.read_meta(data)
    except (struct.error, IndexError):
        return
    if meta is None:
        return
    for _, body in meta.payloads(data, b"Exif"):
        # The first four bytes are the offset of the TIFF header behind them.
        yield Item("exif", body[4 + int.from_bytes(body[:4]) :])
    for item, body in meta.payloads(data, b"mime"):
        yield Item("xmp" if item.content == _XMP_CONTENT else "app_data", body)
    for box in meta.properties:
        if box.kind == b"colr" and bytes(data[box.body : box.body + 4]) in _ICC_COLOURS:
            yield Item("icc", bytes(data[box.body + 4 : box.end]))
