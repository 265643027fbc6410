"""Read and write PNG and TIFF with 16 bits per sample.

Pillow reads most of them as 8 bits and writes none in colour. OpenCV decodes the full samples; they are used
only where they agree with Pillow's pixels.

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
"""zlib level, lower than the default, because the low bits of 16 are noise that does not compress."""

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
        The picture decoded by Pillow, upright.
    orientation
        EXIF orientation of the file.

    Returns
    -------
    HighBitDepth or None
        None where they cannot be read, or differ from ``pixels`` and ``alpha``.
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
    """Return whether a file is a grey PNG; OpenCV returns three colour channels where it has alpha."""
    return bytes(data[:8]) == PNG_SIGNATURE and data[_PNG_TYPE_AT] in _PNG_GREYS


def _split(samples: Samples, *, has_alpha: bool, is_grey: bool) -> HighBitDepth | None:
    """Return OpenCV's channels (grey, BGR or BGRA) as grey or RGB and alpha; None for other layouts."""
    channels = samples.shape[2]
    if channels not in (1, 3, 4) or has_alpha != (channels == 4):  # noqa: PLR2004 - BGRA
        return None
    colours = samples if channels == 1 else samples[..., 2::-1]
    if is_grey:
        colours = colours[..., :1]
    alpha = np.ascontiguousarray(samples[..., 3]) if has_alpha else None
    return HighBitDepth(np.ascontiguousarray(colours), alpha)


def _shows(picture: HighBitDepth, pixels: Pixels, alpha: Plane | None) -> bool:
    """Return whether all samples agree with the 8-bit picture to within one 8-bit level."""
    planes = [(picture.samples, pixels), (picture.alpha, alpha)]
    return all(full is None or seen is None or _agree(full, seen) for full, seen in planes)


def _agree(full: NDArray[np.uint16], seen: NDArray[np.uint8]) -> bool:
    """Return whether two planes agree; compared in bands of rows to save memory."""
    if full.shape[:2] != seen.shape[:2]:
        return False
    for top in range(0, len(full), _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        # A grey plane broadcasts over the three channels of ``seen``.
        if np.abs(to_bytes(full[rows]).astype(np.int16) - seen[rows]).max(initial=0) > 1:
            return False
    return True


def png(picture: HighBitDepth, icc: bytes | None, block: bytes) -> bytes:
    """Return a PNG file; ``block`` is an EXIF block with its prefix, or empty."""
    whole = _joined(picture)
    data = zlib.compress(filtered(whole), _LEVEL)
    head = png_head(whole, icc, block)
    return b"".join([PNG_SIGNATURE, *head, png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")])


def png_head(picture: NDArray[Any], icc: bytes | None, block: bytes) -> list[bytes]:
    """Return the PNG chunks before the pixels of ``uint8`` or ``uint16[height, width, channels]``."""
    height, width, channels = picture.shape
    bits = 8 * picture.dtype.itemsize
    parts = [png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _PNG_TYPES[channels], 0, 0, 0))]
    if icc is not None:
        parts.append(png_chunk(b"iCCP", b"profile\x00\x00" + zlib.compress(icc)))
    if block:
        parts.append(png_chunk(b"eXIf", block.removeprefix(exif.PREFIX)))
    return parts


def filtered(picture: NDArray[Any]) -> bytes:
    """Return the rows of a PNG with filter type Sub: differences from the pixel on the left."""
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


def _joined(picture: HighBitDepth) -> Samples:
    return picture.samples if picture.alpha is None else np.dstack((picture.samples, picture.alpha))


def tiff(picture: HighBitDepth, icc: bytes | None, block: bytes) -> bytes:
    """Return a TIFF file; ``block`` is an EXIF block with its prefix, or empty."""
    whole = _joined(picture)
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
        262: shorts(1 if picture.samples.shape[2] == 1 else 2),
        273: longs(*[0] * len(strips)),
        277: shorts(channels),
        278: longs(_STRIP_ROWS),
        279: longs(*map(len, strips)),
        317: shorts(_DIFFERENCES),
        339: shorts(*[1] * channels),
    }
    if picture.alpha is not None:
        tags[338] = shorts(2)
    if icc is not None:
        tags[34675] = Entry(_UNDEFINED, len(icc), icc)
    start = len(_directories(kept, tags))
    places = [start + sum(map(len, strips[:index])) for index in range(len(strips))]
    return b"".join([_directories(kept, {**tags, 273: longs(*places)}), *strips])


def _directories(kept: ExifBlock, tags: dict[int, Entry]) -> bytes:
    """Return the header and directories of a TIFF file; its length does not depend on the offsets in it."""
    return exif.build(ExifBlock(kept.order, tags, kept.exif, kept.gps)).removeprefix(exif.PREFIX)


def _strips(whole: Samples, order: str) -> Iterator[bytes]:
    """Yield the strips as differences from the pixel on the left, compressed."""
    for top in range(0, len(whole), _STRIP_ROWS):
        rows = whole[top : top + _STRIP_ROWS]
        differences = np.concatenate((rows[:, :1], np.diff(rows, axis=1)), axis=1)
        yield zlib.compress(differences.astype(order + "u2").tobytes(), _LEVEL)
