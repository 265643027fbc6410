"""How a picture was encoded, for encoding it again at equal quality and size."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, JpegImagePlugin

from obscura.imaging.containers.jpeg_png_webp_gif import riff_chunks
from obscura.imaging.formats import Buffer, PhotoFormat, PhotoHeader

QuantisationTable: TypeAlias = tuple[int, ...]
"""64 divisors of an 8 x 8 block, row by row."""

_LOSSY: Final = frozenset({PhotoFormat.JPEG, PhotoFormat.HEIC, PhotoFormat.AVIF})
_FULL_CHROMA: Final = 0
_ANMF_HEAD: Final = 16
_TURNED: Final = 5
"""The first of the orientations that swap rows and columns."""


@dataclass(frozen=True, slots=True)
class JpegCoding:
    """How a JPEG was coded, for coding it again at no worse quality and no larger size.

    Attributes
    ----------
    tables
        Quantisation tables of luma and chroma (one for grey pictures), transposed with the pixels.
    subsampling
        Pillow's number: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
    is_progressive
        Whether it has several scans.
    """

    tables: tuple[QuantisationTable, ...]
    subsampling: int
    is_progressive: bool


def jpeg_coding(image: Image.Image, header: PhotoHeader, turn: int) -> JpegCoding | None:
    """Return how a JPEG was coded, with its tables transposed like its pixels.

    None where a table is missing.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    selectors = [component[3] for component in image.layer]
    if not set(selectors) <= set(image.quantization):
        return None
    tables = [np.array(image.quantization[selector], np.int64) for selector in selectors]
    if len(tables) >= 3:  # noqa: PLR2004 - luma and two chroma components, which share a table when written
        tables = [tables[0], np.minimum(tables[1], tables[2])]
    if turn >= _TURNED:
        tables = [table.reshape(8, 8).T.ravel() for table in tables]
    subsampling = JpegImagePlugin.get_sampling(image)
    if subsampling < 0 or (turn >= _TURNED and subsampling == 1):
        subsampling = _FULL_CHROMA  # Pillow cannot write this subsampling: use a finer one.
    return JpegCoding(
        tuple(tuple(int(value) for value in table) for table in tables[:2]),
        subsampling,
        is_progressive=header.scans > len(selectors),
    )


def is_lossless(data: Buffer, photo_format: PhotoFormat) -> bool:
    """Return whether the file stores its pixels without loss."""
    if photo_format is PhotoFormat.WEBP:
        frames = [chunk.body for chunk in riff_chunks(data) if chunk.name == b"ANMF"]
        if frames:
            return all(data[at + _ANMF_HEAD : at + _ANMF_HEAD + 4] == b"VP8L" for at in frames)
        return any(chunk.name == b"VP8L" for chunk in riff_chunks(data))
    return photo_format not in _LOSSY
