"""Decode ordinary JPEG files straight into an array with libjpeg-turbo.

The same library with the same settings is inside Pillow, so the pixels are the same; Pillow copies them and
hands the file over in small pieces. Whatever is out of the ordinary is left to Pillow: CMYK, odd sampling,
and every file that the library so much as warns of.
"""

import numpy as np
import simplejpeg  # type: ignore[import-untyped, unused-ignore]  # publishes no types for some versions
from PIL import Image

from obscura.imaging.pixels import Colours

__all__ = ["colours"]


def colours(data: bytes, opened: Image.Image) -> Colours | None:
    """Return the colours of a JPEG, or None where Pillow has to decode it.

    Parameters
    ----------
    data
        The file, without foreign parts.
    opened
        The same file, opened by Pillow and not loaded: its mode and size are what the pixels must have.
    """
    if opened.mode not in ("RGB", "L"):
        return None
    try:
        rgb = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False)
    except (ValueError, RuntimeError):
        # Pillow knows what to say of it.
        return None
    if rgb.shape != (opened.height, opened.width, 3) or rgb.dtype != np.uint8:
        return None
    return Colours(rgb, None, is_grey=opened.mode == "L", is_reduced=False)
