"""Decode ordinary JPEG files straight into an array with libjpeg-turbo.

Pillow contains the same library with the same settings, so the pixels are the same; Pillow is slower because
it copies them and passes the file in small pieces. CMYK, unusual sampling and every file that causes a
warning are left to Pillow.
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
        The stripped file.
    opened
        The same file, opened by Pillow and not loaded: its mode and size are what the pixels must have.
    """
    if opened.mode not in ("RGB", "L"):
        return None
    try:
        rgb = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False)
    except (ValueError, RuntimeError):
        # Pillow decodes it or raises the error that the caller translates.
        return None
    if rgb.shape != (opened.height, opened.width, 3) or rgb.dtype != np.uint8:
        return None
    return Colours(rgb, None, is_grey=opened.mode == "L", is_reduced=False)
