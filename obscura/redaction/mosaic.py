"""Colours of the mosaic, shared by pixels and JPEG blocks.

A mosaic shows the mean of each cell, moved towards the mean of the whole region, and noise: a face's own
pattern is then weaker than the noise on it. One colour is the mean of what lies around a region: of what it
hides, it tells nothing.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box
from obscura.redaction.masks import Window

Entropy: TypeAlias = Callable[[int], bytes]
"""Gives that many random bytes."""

Levels: TypeAlias = NDArray[np.float64]
"""Brightness or colour in steps of 8-bit samples."""

KEPT_CONTRAST: Final = 0.125
"""Share of a cell's difference from its region that is shown."""

CELL_NOISE: Final = 24
"""Levels, either way, by which a cell's colour is moved."""

REGION_NOISE: Final = 32
"""Levels, either way, by which the colours of all cells of a region are moved together."""

PIXEL_NOISE: Final = 48
"""Levels, either way, by which a pixel is moved."""

RING_SHARE: Final = 0.15
"""Width of what counts as around a region, as a share of its long side."""


class Grid(NamedTuple):
    """Cells over the visible part of a box: ``int64`` labels of its rows and columns, and cells in a row."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    across: int

    @property
    def labels(self) -> NDArray[np.int64]:
        """``int64[rows, columns]``: the number of each place's cell."""
        return self.rows[:, None] * self.across + self.columns[None, :]

    @property
    def size(self) -> int:
        """Numbers of cells, used or not, lie below it."""
        return int(self.rows[-1] + 1) * self.across


def grid(whole: Box, inside: Window, side: tuple[float, float]) -> Grid:
    """Divide a box evenly into cells of at least ``side`` places, down and across.

    Evenly, so that the cells do not tell the proportions of the box; and by the whole box, not by its visible
    part: half a face at the picture's edge must not get finer cells.

    Parameters
    ----------
    whole
        The box in whole places, not clipped.
    inside
        The part of it that lies in the picture; not empty.
    side
        Least height and width of a cell.
    """
    rows = _divided(inside.y1 - int(whole.y1), inside.y2 - inside.y1, int(whole.height), side[0])
    columns = _divided(inside.x1 - int(whole.x1), inside.x2 - inside.x1, int(whole.width), side[1])
    return Grid(rows, columns, int(columns[-1]) + 1)


def _divided(start: int, length: int, whole: int, side: float) -> NDArray[np.int64]:
    """Return the cell of each of ``length`` places from ``start`` on."""
    count = min(whole, max(1, math.ceil(whole / side - 1e-9)))
    labels = np.arange(start, start + length, dtype=np.int64) * count // whole
    return np.asarray(labels - labels[0], np.int64)


def contrast_reduced(means: Levels, overall: Levels, share: float, entropy: Entropy) -> Levels:
    """Return what is shown of cells.

    Parameters
    ----------
    means
        Mean of each cell, ``[..., channels]``.
    overall
        Mean of the region, ``[channels]``.
    share
        Share of the noise.
    entropy
        Source of the noise.
    """
    # One step for all channels: noise moves the brightness, never the hue.
    moved = noise((1,), REGION_NOISE, entropy) + noise((*means.shape[:-1], 1), CELL_NOISE, entropy)
    return np.asarray(overall + KEPT_CONTRAST * (means - overall) + share * moved, np.float64)


def border(inside: Window, long_side: float, least: int) -> Window:
    """Return the places in and around a window: `RING_SHARE` of the long side, ``least`` places at least.

    It may reach out of the picture above and on the left no further than its edge.
    """
    margin = max(least, math.ceil(RING_SHARE * long_side))
    return Window(
        max(0, inside.x1 - margin), max(0, inside.y1 - margin), inside.x2 + margin, inside.y2 + margin
    )


def noise(shape: tuple[int, ...], levels: int, entropy: Entropy) -> NDArray[np.int16]:
    """Return random steps in ``-levels..levels``, as good as even."""
    words = np.frombuffer(entropy(2 * math.prod(shape)), np.uint16).reshape(shape)
    return np.asarray(words % (2 * levels + 1), np.int16) - np.int16(levels)
