"""The decoders of picture formats: Pillow's plugins, loaded as they are needed, and pillow-heif."""

import importlib
from functools import cache
from typing import Final

from PIL import Image, features

from obscura.errors import UnsupportedFormatError
from obscura.imaging.formats import PhotoFormat

_HEIF_PACKAGE: Final = "pillow_heif"
_PLUGINS: Final = {
    PhotoFormat.WEBP: "PIL.WebPImagePlugin",
    PhotoFormat.AVIF: "PIL.AvifImagePlugin",
    PhotoFormat.TIFF: "PIL.TiffImagePlugin",
}
"""The plugins that `Image.preinit` does not load."""


def require(photo_format: PhotoFormat) -> None:
    """Load the decoder of a format.

    To be called outside of any `resource_limits.within`: a shared library that does not fit into a budget
    would be taken as not installed for as long as the process lives.

    Raises
    ------
    UnsupportedFormatError
        If it is not installed.
    """
    Image.preinit()
    if photo_format in _PLUGINS:
        importlib.import_module(_PLUGINS[photo_format])
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
