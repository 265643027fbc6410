"""Decode greyscale pictures at their stored depth of 8 or 16 bits."""

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from obscura.errors import UndecodablePhotoError
from obscura.imaging import decoders
from obscura.imaging.formats import PhotoHeader
from obscura.imaging.open import open_stored
from obscura.imaging.pixels import upright
from obscura.imaging.resource_limits import for_picture, within
from obscura.imaging.validation import ValidationLimits, check

Grey: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""``[height, width]``: grey values, larger is brighter."""

_BYTE_BITS = 8
_HIGH_BIT_DEPTH = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
COLOUR_WARNING = "the picture has colours; their luminance was used"
REDUCED_WARNING = "16-bit colours were reduced to 8 bits; send 16-bit greyscale"


@dataclass(frozen=True, eq=False, slots=True)
class GreyPicture:
    """A decoded greyscale picture, upright.

    Attributes
    ----------
    grey
        ``[height, width]``, at the bit depth of the file.
    header
        Properties read from the file's structure.
    warnings
        Messages about losses in decoding.
    """

    grey: Grey
    header: PhotoHeader
    warnings: tuple[str, ...] = ()


def decode_grey(data: bytes, limits: ValidationLimits) -> GreyPicture:
    """Validate a file and decode its grey values; colours become luminance.

    Raises
    ------
    PhotoError
        As `obscura.imaging.open.decode` does.
    """
    with within(for_picture(limits.budget, 0, len(data))):
        header = check(data, limits)
    decoders.require(header.format)
    with within(for_picture(limits.budget, header.size.pixels * header.frames, len(data))):
        image, turn = open_stored(data, header)
        warnings: tuple[str, ...] = ()
        if image.mode in _HIGH_BIT_DEPTH:
            grey = _finite(np.asarray(image))
        else:
            if image.mode not in ("L", "1", "LA"):
                warnings = (REDUCED_WARNING,) if header.bits > _BYTE_BITS else (COLOUR_WARNING,)
                image = image.convert("RGB")
            grey = np.asarray(image.convert("L"))
        return GreyPicture(cast("Grey", upright(grey, turn)), header, warnings)


def _finite(values: NDArray[np.generic]) -> Grey:
    """Return 16-bit samples unchanged, wider integers and floats as 32-bit floats.

    Raises
    ------
    UndecodablePhotoError
        If a sample is NaN or infinite.
    """
    if values.dtype == np.uint16:
        return np.asarray(values, np.uint16)
    result = np.asarray(values, np.float32)
    if not np.isfinite(result).all():
        message = "the picture has samples that are no numbers"
        raise UndecodablePhotoError(message)
    return result
