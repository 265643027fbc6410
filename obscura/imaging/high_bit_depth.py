"""Read and write PNG and TIFF with 16 bits per sample.

Pillow reads most of them as 8 bits and writes none in colour. OpenCV's decoders give the full samples; they
are believed only where they show what Pillow shows.

Sources: PNG specification (third edition) sections 9 and 11; TIFF 6.0 sections 8, 14 and 18.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.imaging.containers.jpeg_png_webp_gif import PNG_SIGNATURE
from obscura.imaging.formats import Buffer
from obscura.imaging.metadata import exif
from obscura.imaging.metadata.exif import LONG, SHORT, Entry, ExifBlock
from obscura.imaging.pixels import Pixels, Plane, to_bytes, upright

Samples: TypeAlias = NDArray[np.uint16]
"""``uint16[height, width, channels]``; channels: 1 for grey, 3 for RGB."""

BITS: Final = 16
_LEVEL: Final = 4
"""Of zlib: lower than its default, since the lowest bits of 16 are noise that no effort makes smaller."""

_PNG_TYPES: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour type by number of channels."""
_PNG_SUB: Final = 1
_STRIP_ROWS: Final = 64
_BAND_ROWS: Final = 256
_UNDEFINED: Final = 7
_DEFLATE: Final = 8
_DIFFERENCES: Final = 2
_COLOURS: Final = 3
_PNG_TYPE_AT: Final = 25
_PNG_GREYS: Final = (0, 4)


@dataclass(frozen=True, eq=False, slots=True)
class HighBitDepth:
    """All 16 bits of a picture, upright.

    Attributes
    ----------
    samples
        ``uint16[height, width, 1]`` (grey) or ``uint16[height, width, 3]`` (RGB).
    alpha
        ``uint16[height, width]``, or None.
    """

    samples: Samples
    alpha: NDArray[np.uint16] | None

    @property
    def is_grey(self) -> bool:
        """Whether it has no colours."""
        return bool(self.samples.shape[2] == 1)

    def rgb(self) -> Pixels:
        """Return the picture in 8 bits, ``uint8[height, width, 3]``."""
        seen = to_bytes(self.samples)
        return np.repeat(seen, _COLOURS, axis=2) if self.is_grey else seen

    def opacity(self) -> Plane | None:
        """Return the alpha plane in 8 bits."""
        return None if self.alpha is None else to_bytes(self.alpha)


def read(data: Buffer, pixels: Pixels, alpha: Plane | None, orientation: int) -> HighBitDepth | None:
    """Return the full samples of a PNG or TIFF file.

    Parameters
    ----------
    data
        All bytes of the file, which Pillow has decoded.
    pixels, alpha
        What Pillow made of it, upright.
    orientation
        How the file is turned.

    Returns
    -------
    Deep or None
        None where they cannot be read, or do not show the same picture.
    """
    try:
        read_back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if read_back is None or read_back.dtype != np.uint16:
        return None
    stored = np.asarray(read_back, np.uint16).reshape(*read_back.shape[:2], -1)
    for turn in dict.fromkeys((orientation, 1)):
        found = _split(upright(stored, turn), has_alpha=alpha is not None, is_grey=_is_grey_png(data))
        if found is not None and _shows(found, pixels, alpha):
            return found
    return None


def _is_grey_png(data: Buffer) -> bool:
    """Return whether a file is a PNG without colours, of which OpenCV makes three where it has alpha."""
    return bytes(data[:8]) == PNG_SIGNATURE and data[_PNG_TYPE_AT] in _PNG_GREYS


def _split(samples: Samples, *, has_alpha: bool, is_grey: bool) -> HighBitDepth | None:
    """Return OpenCV's channels (grey, BGR or BGRA) as ours; None where they are others."""
    channels = samples.shape[2]
    if channels not in (1, 3, 4) or has_alpha != (channels == 4):  # noqa: PLR2004 - BGRA
        return None
    colours = samples if channels == 1 else samples[..., 2::-1]
    if is_grey:
        colours = colours[..., :1]
    alpha = np.ascontiguousarray(samples[..., 3]) if has_alpha else None
    return HighBitDepth(np.ascontiguousarray(colours), alpha)


def _shows(deep: HighBitDepth, pixels: Pixels, alpha: Plane | None) -> bool:
    """Return whether all samples are, to a step of 8 bits, those of the picture in 8 bits."""
    planes = [(deep.samples, pixels), (deep.alpha, alpha)]
    return all(full is None or seen is None or _agree(full, seen) for full, seen in planes)


def _agree(full: NDArray[np.uint16], seen: NDArray[np.uint8]) -> bool:
    """Compare band by band: as a whole the picture would be in memory several times more."""
    if full.shape[:2] != seen.shape[:2]:
        return False
    for top in range(0, len(full), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        # One plane of greys stands for all three of what is seen.
        if np.abs(to_bytes(full[rows]).astype(np.int16) - seen[rows]).max(initial=0) > 1:
            return False
    return True


def png(deep: HighBitDepth, icc: bytes | None, block: bytes) -> bytes:
    """Return a PNG file; ``block`` is an EXIF block with its prefix, or empty."""
    whole = _joined(deep)
    data = zlib.compress(filtered(whole), _LEVEL)
    head = png_head(whole, icc, block)
    return b"".join([PNG_SIGNATURE, *head, png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")])


def png_head(picture: NDArray[Any], icc: bytes | None, block: bytes) -> list[bytes]:
    """Return what stands before ``uint8`` or ``uint16[height, width, channels]`` in a PNG file."""
    height, width, channels = picture.shape
    bits = 8 * picture.dtype.itemsize
    parts = [png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _PNG_TYPES[channels], 0, 0, 0))]
    if icc is not None:
        parts.append(png_chunk(b"iCCP", b"profile\x00\x00" + zlib.compress(icc)))
    if block:
        parts.append(png_chunk(b"eXIf", block.removeprefix(exif.PREFIX)))
    return parts


def filtered(picture: NDArray[Any]) -> bytes:
    """Return the rows of a PNG as differences from the pixel on the left, each behind its filter type."""
    whole = np.ascontiguousarray(picture, picture.dtype.newbyteorder(">"))
    height, width, channels = whole.shape
    rows = whole.view(np.uint8).reshape(height, width, whole.itemsize * channels)
    coded = np.empty((height, 1 + rows[0].size), np.uint8)
    coded[:, 0] = _PNG_SUB
    differences = coded[:, 1:].reshape(rows.shape)
    differences[:, 0] = rows[:, 0]
    np.subtract(rows[:, 1:], rows[:, :-1], out=differences[:, 1:])
    return coded.tobytes()


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


def _joined(deep: HighBitDepth) -> Samples:
    return deep.samples if deep.alpha is None else np.dstack((deep.samples, deep.alpha))


def tiff(deep: HighBitDepth, icc: bytes | None, block: bytes) -> bytes:
    """Return a TIFF file; ``block`` is an EXIF block with its prefix, or empty."""
    whole = _joined(deep)
    height, width, channels = whole.shape
    kept = exif.parse(block) or ExifBlock("<")
    order = kept.order
    strips = list(_strips(whole, order))

    def shorts(*values: int) -> Entry:
        return Entry(SHORT, len(values), struct.pack(f"{order}{len(values)}H", *values))

    def longs(*values: int) -> Entry:
        return Entry(LONG, len(values), struct.pack(f"{order}{len(values)}I", *values))

    tags = {
        **kept.main,
        256: longs(width),
        257: longs(height),
        258: shorts(*[BITS] * channels),
        259: shorts(_DEFLATE),
        262: shorts(1 if deep.samples.shape[2] == 1 else 2),
        273: longs(*[0] * len(strips)),
        277: shorts(channels),
        278: longs(_STRIP_ROWS),
        279: longs(*map(len, strips)),
        317: shorts(_DIFFERENCES),
        339: shorts(*[1] * channels),
    }
    if deep.alpha is not None:
        tags[338] = shorts(2)
    if icc is not None:
        tags[34675] = Entry(_UNDEFINED, len(icc), icc)
    start = len(_directories(kept, tags))
    places = [start + sum(map(len, strips[:index])) for index in range(len(strips))]
    return b"".join([_directories(kept, {**tags, 273: longs(*places)}), *strips])


def _directories(kept: ExifBlock, tags: dict[int, Entry]) -> bytes:
    """Return the header and all directories of a TIFF file: as long whatever its offsets say."""
    return exif.build(ExifBlock(kept.order, tags, kept.exif, kept.gps)).removeprefix(exif.PREFIX)


def _strips(whole: Samples, order: str) -> Iterator[bytes]:
    """Yield the strips as differences from the pixel on the left, compressed."""
    for top in range(0, len(whole), _STRIP_ROWS):
        rows = whole[top : top + _STRIP_ROWS]
        differences = np.concatenate((rows[:, :1], np.diff(rows, axis=1)), axis=1)
        yield zlib.compress(differences.astype(order + "u2").tobytes(), _LEVEL)
