"""Pictures with transparency as viewers show them: over black, over white, or without alpha.

An object may be visible in only one of these, so detection searches all of them. The colours of fully
transparent pixels are removed from the finished file.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from obscura.imaging.high_bit_depth import HighBitDepth
from obscura.imaging.open import Photo
from obscura.imaging.pixels import Pixels, Plane

__all__ = ["composites", "without_unseen_colours"]

OPAQUE: Final = 255
_ROWS: Final = 256
"""Rows that are blended at once: the intermediate values need four bytes per sample."""


def composites(pixels: Pixels, alpha: Plane | None) -> Iterator[Pixels]:
    """Yield a picture with transparency over black and over white.

    Parameters
    ----------
    pixels
        ``uint8[height, width, 3]``: the colours as stored.
    alpha
        ``uint8[height, width]``, or None.

    Yields
    ------
    ndarray
        ``uint8[height, width, 3]``; nothing for a picture without transparency, and no composite of a single
        colour.
    """
    if alpha is None or int(alpha.min(initial=OPAQUE)) == OPAQUE:
        return
    for background in (0, OPAQUE):
        view = _over(pixels, alpha, background)
        if view.min(initial=OPAQUE) != view.max(initial=0):
            yield view


def _over(pixels: Pixels, alpha: Plane, background: int) -> Pixels:
    """Return a picture blended over a uniform grey level, 0..255."""
    view = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        share = alpha[rows, :, None].astype(np.uint32)
        view[rows] = (pixels[rows] * share + background * (OPAQUE - share) + OPAQUE // 2) // OPAQUE
    return view


def without_unseen_colours(photo: Photo) -> Photo:
    """Return a single-frame photo whose fully transparent pixels are black.

    A photo without such pixels is returned unchanged.
    """
    full = photo.high_bit_depth
    if full is not None and full.alpha is not None and not full.alpha.all():
        samples = np.where(full.alpha[..., None] > 0, full.samples, np.uint16(0))
        full = HighBitDepth(samples, full.alpha)
        return replace(photo, high_bit_depth=full, pixels=full.rgb())
    if full is not None or photo.alpha is None or photo.alpha.all():
        return photo
    return replace(photo, pixels=np.where(photo.alpha[..., None] > 0, photo.pixels, np.uint8(0)))
