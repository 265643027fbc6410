"""Optional decoders."""

import importlib
from functools import cache
from typing import Final

from PIL import features

from obscura.errors import UnsupportedFormatError
from obscura.imaging.formats import PhotoFormat

_HEIF_PACKAGE: Final = "pillow_heif"


def require(photo_format: PhotoFormat) -> None:
    """Register the decoder of a format with Pillow where it is optional.

    Raises
    ------
    UnsupportedFormatError
        If it is not installed.
    """
    match photo_format:
        case PhotoFormat.HEIC if not _register_heif():
            message = "HEIC is not accepted here: the decoder (pillow-heif) is not installed"
        case PhotoFormat.AVIF if not features.check("avif"):
            message = "AVIF is not accepted here: this build of Pillow has no decoder"
        case _:
            return
    raise UnsupportedFormatError(message)


@cache
def _register_heif() -> bool:
    """Register the HEIC decoder with Pillow; return whether it is installed."""
    try:
        package = importlib.import_module(_HEIF_PACKAGE)
    except ImportError:
        return False
    # Decode the primary picture only: no thumbnails, depth maps or auxiliary pictures.
    package.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True
