"""Painting over regions of a picture.

What is painted is always computed from the picture as it came, and every pixel of every region is painted at
least once, the strongest style last: overlapping regions hide their union, in whatever order they are given.
"""

import math
import os
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.regions import ONE_COLOUR_BELOW, Region
from obscura.redaction.styles import BLUR_FLOOR, Blur, Mosaic, PixelNoise, Solid, strength

Pixels: TypeAlias = NDArray[np.uint8]
"""``uint8[height, width, 3]``, RGB."""

Plane: TypeAlias = NDArray[np.uint8]
"""``uint8[height, width]``."""

Entropy: TypeAlias = Callable[[int], bytes]
"""Gives that many random bytes."""

CELL_NOISE: Final = 24
"""Levels, either way, by which a cell's colour is moved."""

PIXEL_NOISE: Final = 48
"""Levels, either way, by which a pixel is moved."""

_WORKING_SIGMA: Final = 8.0
"""Sigma, in pixels, above which a blur is done on a smaller copy."""


def paint(pixels: Pixels, regions: Sequence[Region], entropy: Entropy = os.urandom) -> Pixels:
    """Return a copy of a picture with its regions painted over.

    Parameters
    ----------
    pixels
        ``uint8[height, width, 3]``; not changed.
    regions
        What to paint; parts outside the picture are left out.
    entropy
        Source of the noise; a cryptographic one unless a test needs another. Its bytes are not stored.

    Returns
    -------
    ndarray
        ``uint8[height, width, 3]``, equal to ``pixels`` outside the regions.
    """
    painted = pixels.copy()
    for region, inside, covered in _covered(pixels, regions):
        patch = _patch(pixels[inside.slices], region, entropy)
        painted[inside.slices][covered] = patch[covered]
    return painted


def paint_alpha(alpha: Plane, regions: Sequence[Region]) -> Plane:
    """Return a copy of an alpha plane with one value per region, the largest that was in it.

    The outline of a cut-out face goes this way, and what could be seen of it stays painted over; what could
    not be seen stays invisible.
    """
    painted = alpha.copy()
    for _, inside, covered in _covered(alpha, regions):
        # From the plane as painted so far: later regions must not bring an outline back.
        painted[inside.slices][covered] = painted[inside.slices][covered].max(initial=0)
    return painted


def _covered(
    picture: NDArray[np.uint8], regions: Sequence[Region]
) -> list[tuple[Region, Window, NDArray[np.bool_]]]:
    """Return the regions that lie in the picture, weakest first, each with its window and mask."""
    size = Size(picture.shape[1], picture.shape[0])
    ordered = sorted(regions, key=lambda region: (strength(region.style), region.box))
    windows = [(region, window(region.box, size)) for region in ordered if not region.box.is_empty]
    return [
        (region, inside, mask(region.box, region.shape, inside))
        for region, inside in windows
        if not inside.is_empty
    ]


def _patch(source: Pixels, region: Region, entropy: Entropy) -> Pixels:
    """Return what to paint over ``source``, the part of the picture under the region's box."""
    if region.box.long_side < ONE_COLOUR_BELOW:
        return _one_colour(source)
    match region.style:
        case Solid():
            return _one_colour(source)
        case Mosaic(cells):
            return _mosaic(source, _cell_side(region.box, cells), entropy)
        case PixelNoise(cells):
            coarse = _mosaic(source, _cell_side(region.box, cells), entropy)
            return _moved(coarse, noise(coarse.shape, PIXEL_NOISE, entropy))
        case Blur(sigma_fraction):
            sigma = max(sigma_fraction, BLUR_FLOOR) * region.box.long_side
            return _blurred(source, sigma)
        case _:
            assert_never(region.style)


def _cell_side(box: Box, cells: int) -> int:
    """Return the side of a cell in pixels.

    By the whole box, not by its visible part: half a face at the picture's edge must not get finer cells.
    """
    # Outward: a box on fractions of pixels touches one pixel more than it is long.
    return max(1, math.ceil(box.outward().long_side / cells))


def _one_colour(source: Pixels) -> Pixels:
    """Return the mean colour of ``source`` everywhere."""
    colour = np.rint(source.mean(axis=(0, 1))).astype(np.uint8)
    return np.broadcast_to(colour, source.shape).copy()


def _blurred(source: Pixels, sigma: float) -> Pixels:
    """Return ``source`` under a Gaussian blur of ``sigma`` pixels.

    A wide blur is done on a smaller copy: no detail is lost that it would leave, and the time it takes does
    not grow with sigma.
    """
    height, width = source.shape[:2]
    shrink = max(1.0, sigma / _WORKING_SIGMA)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _mosaic(source: Pixels, side: int, entropy: Entropy) -> Pixels:
    """Return ``source`` in cells of ``side`` pixels: the mean of each, moved by noise."""
    height, width = source.shape[:2]
    tops, lefts = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(source, tops, axis=0, dtype=np.int64), lefts, axis=1)
    counts = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))
    means = np.rint(sums / counts[..., None]).astype(np.uint8)
    cells = _moved(means, noise(means.shape, CELL_NOISE, entropy))
    rows, columns = np.arange(height) // side, np.arange(width) // side
    return np.asarray(cells[rows[:, None], columns[None, :]], np.uint8)


def noise(shape: tuple[int, ...], levels: int, entropy: Entropy) -> NDArray[np.int16]:
    """Return random steps in ``-levels..levels``, as good as even."""
    words = np.frombuffer(entropy(2 * math.prod(shape)), np.uint16).reshape(shape)
    return np.asarray(words % (2 * levels + 1), np.int16) - np.int16(levels)


def _moved(colours: Pixels, steps: NDArray[np.int16]) -> Pixels:
    """Return colours moved by ``steps``, kept inside 0..255."""
    moved = colours.astype(np.int16) + steps
    return np.asarray(np.clip(moved, 0, 255), np.uint8)
