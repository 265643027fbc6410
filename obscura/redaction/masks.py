"""Pixel windows, outlines and soft edges of regions."""

from typing import NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.styles import RegionShape


class Window(NamedTuple):
    """A box with whole-pixel edges inside a picture; ``y2`` and ``x2`` exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def is_empty(self) -> bool:
        """Whether it covers no pixel."""
        return self.x1 >= self.x2 or self.y1 >= self.y2

    @property
    def slices(self) -> tuple[slice, slice]:
        """The window as an index into an array of rows and columns."""
        return slice(self.y1, self.y2), slice(self.x1, self.x2)


def window(box: Box, size: Size) -> Window:
    """Return the pixels of a picture of ``size`` that ``box`` touches."""
    clipped = box.clip(size).outward()
    return Window(int(clipped.x1), int(clipped.y1), int(clipped.x2), int(clipped.y2))


def mask(box: Box, shape: RegionShape, inside: Window) -> NDArray[np.bool_]:
    """Return which pixels of a window to paint.

    Parameters
    ----------
    box
        The whole region, not clipped: an ellipse at a picture's edge is a part of the whole ellipse.
    shape
        Its outline.
    inside
        The part of it that lies in the picture.

    Returns
    -------
    ndarray
        ``bool[inside.height, inside.width]``; a pixel belongs to an ellipse where any point of it does.
    """
    match shape:
        case RegionShape.BOX:
            return np.ones((inside.y2 - inside.y1, inside.x2 - inside.x1), np.bool_)
        case RegionShape.ELLIPSE | RegionShape.SUPERELLIPSE | RegionShape.ROUNDED:
            covered: NDArray[np.bool_] = _power(box, shape, inside) <= 1.0
            return covered
        case _:
            assert_never(shape)


def soft_edge(
    box: Box, shape: RegionShape, around: Window, reach: tuple[float, float]
) -> NDArray[np.float64]:
    """Return how much of the paint each pixel of a window gets: 1 on the outline and inside, 0 far outside.

    Parameters
    ----------
    box
        The whole region, not clipped.
    shape
        Its outline.
    around
        The window, which may be larger than the region.
    reach
        How far outside the share becomes 0, down and across; both above 0.

    Returns
    -------
    ndarray
        ``float64[around.height, around.width]``.
    """
    match shape:
        case RegionShape.BOX:
            down = _outside(around.y1, around.y2, box.y1, box.y2) / reach[0]
            across = _outside(around.x1, around.x2, box.x1, box.x2) / reach[1]
            far = np.hypot(down[:, None], across[None, :])
        case RegionShape.ELLIPSE | RegionShape.SUPERELLIPSE | RegionShape.ROUNDED:
            # Along the longer half axis exactly, along the shorter one a little less.
            widest = max(box.height / reach[0], box.width / reach[1]) / 2
            far = (_power(box, shape, around) ** (1 / shape.exponent) - 1.0) * widest
        case _:
            assert_never(shape)
    return np.asarray((1.0 - far).clip(0.0, 1.0), np.float64)


def _power(box: Box, shape: RegionShape, inside: Window) -> NDArray[np.float64]:
    """Return ``|x|^n + |y|^n`` of the point of each pixel nearest to the centre, 1 being the outline."""
    across = _nearest(inside.x1, inside.x2, (box.x1 + box.x2) / 2) / max(box.width / 2, 0.5)
    down = _nearest(inside.y1, inside.y2, (box.y1 + box.y2) / 2) / max(box.height / 2, 0.5)
    parts = (across**shape.exponent)[None, :] + (down**shape.exponent)[:, None]
    return np.asarray(parts, np.float64)


def _nearest(start: int, stop: int, centre: float) -> NDArray[np.float64]:
    """Return the distance of ``centre`` from the nearest point of each pixel ``start``..``stop``."""
    left = np.arange(start, stop, dtype=np.float64)
    return np.maximum(np.maximum(left - centre, centre - (left + 1.0)), 0.0)


def _outside(start: int, stop: int, low: float, high: float) -> NDArray[np.float64]:
    """Return how far the middle of each pixel ``start``..``stop`` lies outside ``low``..``high``."""
    middle = np.arange(start, stop, dtype=np.float64) + 0.5
    return np.maximum(np.maximum(low - middle, middle - high), 0.0)
