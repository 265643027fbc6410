"""Paint over regions of a picture.

What is painted is always computed from the picture as it came, and every pixel of every region is painted at
least once, the strongest style last: overlapping regions hide their union, in whatever order they are given.
Soft edges lie outside the regions and are painted before any of them: they never bring anything back.
"""

import os
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.masks import Window, mask, soft_edge, window
from obscura.redaction.mosaic import PIXEL_NOISE, Entropy, Levels, border, contrast_reduced, grid, noise
from obscura.redaction.regions import ONE_COLOUR_BELOW, Region
from obscura.redaction.smooth import LUMA, fill_smoothly
from obscura.redaction.styles import BLUR_FLOOR, Blur, Fill, Mosaic, PixelNoise, Soft, Solid, Style, strength

Pixels: TypeAlias = NDArray[Any]
"""``uint8`` or ``uint16[height, width, channels]``: colours, or one grey."""

Plane: TypeAlias = NDArray[Any]
"""``uint8`` or ``uint16[height, width]``."""

_WORKING_SIGMA: Final = 8.0
"""Sigma, in pixels, above which a blur is done on a smaller copy."""

_LEAST_RING: Final = 4
_NEUTRAL: Final = 128.0
"""Level of one colour where nothing but hidden things lies around."""


class _Spot(NamedTuple):
    """A region that lies in the picture: its window, and which pixels of that it covers."""

    region: Region
    inside: Window
    covered: NDArray[np.bool_]


def paint(pixels: Pixels, regions: Sequence[Region], entropy: Entropy = os.urandom) -> Pixels:
    """Return a copy of a picture with its regions painted over.

    Parameters
    ----------
    pixels
        ``uint8`` or ``uint16[height, width, channels]``; not changed.
    regions
        What to paint; parts outside the picture are left out.
    entropy
        Source of the noise; a cryptographic one unless a test needs another. Its bytes are not stored.

    Returns
    -------
    ndarray
        Of the same type and shape, equal to ``pixels`` outside the regions and their soft edges.
    """
    painted = pixels.copy()
    spots = _spots(pixels, regions)
    hidden = _union(pixels, spots)
    smooth = [spot.region for spot in spots if is_smooth(spot.region.style)]
    others = [spot for spot in spots if not is_smooth(spot.region.style)]
    patches = [
        (_patch(pixels, hidden, spot, entropy).clip(0, 255) * _unit(pixels)).astype(pixels.dtype)
        for spot in others
    ]
    for spot, patch in zip(others, patches, strict=True):
        if spot.region.feather:
            _soften(painted, spot, patch)
    weaker = sum(strength(spot.region.style) < strength(Soft()) for spot in others)
    _lay(painted, others[:weaker], patches[:weaker])
    fill_smoothly(painted, pixels, hidden, smooth)
    _lay(painted, others[weaker:], patches[weaker:])
    return painted


def is_smooth(style: Style) -> bool:
    """Whether a style is filled from around."""
    return isinstance(style, Soft | Fill)


def _lay(painted: Pixels, spots: Sequence[_Spot], patches: Sequence[Pixels]) -> None:
    """Paint patches over their regions, in place."""
    for spot, patch in zip(spots, patches, strict=True):
        painted[spot.inside.slices][spot.covered] = patch[spot.covered]


def paint_alpha(alpha: Plane, regions: Sequence[Region]) -> Plane:
    """Return a copy of an alpha plane with one value per region.

    The outline of a cut-out face goes this way. The value is the largest that was in the region: what could
    be seen of it stays painted over, and what could not be seen stays invisible. For the styles that tell
    nothing of what they hide it is the largest of the plane outside of all regions, opaque where there is
    none.
    """
    painted = alpha.copy()
    spots = _spots(alpha, regions)
    seen = alpha[~_union(alpha, spots)]
    outside = seen.max() if seen.size and seen.any() else np.iinfo(alpha.dtype).max
    for spot in spots:
        # From the plane as painted so far: later regions must not bring an outline back.
        here = painted[spot.inside.slices]
        here[spot.covered] = outside if is_smooth(spot.region.style) else here[spot.covered].max(initial=0)
    return painted


def _spots(picture: NDArray[Any], regions: Sequence[Region]) -> list[_Spot]:
    """Return the regions that lie in the picture, weakest first."""
    size = _size(picture)
    ordered = sorted(regions, key=lambda region: (strength(region.style), region.box))
    windows = [(region, window(region.box, size)) for region in ordered if not region.box.is_empty]
    return [
        _Spot(region, inside, mask(region.box, region.shape, inside))
        for region, inside in windows
        if not inside.is_empty
    ]


def _union(picture: NDArray[Any], spots: Sequence[_Spot]) -> NDArray[np.bool_]:
    """Return ``bool[height, width]``: what is hidden by any region."""
    hidden = np.zeros(picture.shape[:2], np.bool_)
    for spot in spots:
        hidden[spot.inside.slices] |= spot.covered
    return hidden


def _patch(pixels: Pixels, hidden: NDArray[np.bool_], spot: _Spot, entropy: Entropy) -> Levels:
    """Return what to paint over the window of a region, in 8-bit levels."""
    region, source = spot.region, pixels[spot.inside.slices]
    if isinstance(region.style, Solid) and region.style.colour is not None:
        return _given_colour(region.style.colour, source)
    if region.box.long_side < ONE_COLOUR_BELOW:
        return _one_colour(pixels, hidden, spot)
    match region.style:
        case Solid() | Soft() | Fill():
            return _one_colour(pixels, hidden, spot)
        case Mosaic(cells):
            return np.rint(_mosaic(source, spot, cells, entropy))
        case PixelNoise(cells):
            coarse = np.rint(_mosaic(source, spot, cells, entropy)).clip(0, 255)
            steps = noise((*coarse.shape[:2], 1), PIXEL_NOISE, entropy)
            return np.asarray(coarse + steps, np.float64)
        case Blur(sigma_fraction):
            sigma = max(sigma_fraction, BLUR_FLOOR) * region.box.long_side
            return _blurred(source, sigma).reshape(source.shape)
        case _:
            assert_never(region.style)


def _given_colour(colour: tuple[int, int, int], source: Pixels) -> Levels:
    """Return a colour for every pixel; its brightness where the picture is grey."""
    levels = np.array(colour, np.float64)
    if source.shape[2] != levels.size:
        levels = np.rint([levels @ LUMA])
    return np.broadcast_to(levels, source.shape).copy()


def _one_colour(pixels: Pixels, hidden: NDArray[np.bool_], spot: _Spot) -> Levels:
    """Return the mean colour of what is seen around a region: it cannot tell what the region hides."""
    around = border(spot.inside, spot.region.box.long_side, _LEAST_RING).slices
    seen = _levels(pixels[around][~hidden[around]])
    colour = np.rint(seen.mean(axis=0)) if len(seen) else np.full(pixels.shape[2], _NEUTRAL)
    return np.broadcast_to(colour, pixels[spot.inside.slices].shape).copy()


def _blurred(source: Pixels, sigma: float) -> Levels:
    """Return ``source`` under a Gaussian blur of ``sigma`` pixels, in 8-bit levels.

    A wide blur is done on a smaller copy: no detail is lost that it would leave, and the time it takes does
    not grow with sigma.
    """
    height, width = source.shape[:2]
    shrink = max(1.0, sigma / _WORKING_SIGMA)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    wide = np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))
    return _levels(wide)


def _mosaic(source: Pixels, spot: _Spot, cells: int, entropy: Entropy) -> Levels:
    """Return ``source`` in cells, in 8-bit levels: what `contrast_reduced` leaves of their means."""
    # Outward: a box on fractions of pixels touches one pixel more than it is long.
    whole = spot.region.box.outward()
    side = whole.long_side / cells
    places = grid(whole, spot.inside, (side, side))
    tops, lefts = (np.flatnonzero(np.diff(labels, prepend=-1)) for labels in (places.rows, places.columns))
    height, width = source.shape[:2]
    sums = np.add.reduceat(np.add.reduceat(source, tops, axis=0, dtype=np.int64), lefts, axis=1)
    counts = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))[..., None]
    unit = _unit(source)
    overall = sums.sum(axis=(0, 1)) / (counts.sum() * unit)
    shown = contrast_reduced(sums / (counts * unit), overall, 1.0, entropy)
    return np.asarray(shown[places.rows[:, None], places.columns[None, :]], np.float64)


def _soften(painted: Pixels, spot: _Spot, patch: Pixels) -> None:
    """Blend the paint of a region into the picture around it, in place."""
    box, reach = spot.region.box, spot.region.feather
    wide = Box(box.x1 - reach, box.y1 - reach, box.x2 + reach, box.y2 + reach)
    around = window(wide, _size(painted))
    share = soft_edge(box, spot.region.shape, around, (reach, reach))[..., None]
    rows = np.arange(around.y1, around.y2).clip(spot.inside.y1, spot.inside.y2 - 1) - spot.inside.y1
    columns = np.arange(around.x1, around.x2).clip(spot.inside.x1, spot.inside.x2 - 1) - spot.inside.x1
    paint_here = patch[rows[:, None], columns[None, :]].astype(np.float64)
    here = painted[around.slices]
    here[:] = np.rint(share * paint_here + (1.0 - share) * here).astype(painted.dtype)


def _size(picture: NDArray[Any]) -> Size:
    return Size(picture.shape[1], picture.shape[0])


def _unit(pixels: Pixels) -> int:
    """Return how many steps of a sample make an 8-bit level."""
    return 257 if pixels.dtype == np.uint16 else 1


def _levels(pixels: Pixels) -> Levels:
    """Return samples in 8-bit levels."""
    return np.asarray(pixels / _unit(pixels), np.float64)
