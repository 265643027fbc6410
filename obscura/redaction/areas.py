"""Which hidden regions are filled together: those that touch are one area without a seam."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from obscura.geometry import Box
from obscura.redaction.regions import Region

FINEST_GRID: Final = 96
"""Cells on the long side of a region at most, before cells are made twice as large."""

MOST_CELLS: Final = 1 << 19
"""Cells of an area at most, but for one with the coarsest cells."""

COARSEST: Final = 16
"""Side of the largest cell, in pixels."""

AROUND: Final = 0.2
"""Width of the surroundings that a fill is made of, as a share of a region's long side."""

LEAST_AROUND: Final = 8.0
"""The same, in pixels at least: a block of a JPEG."""


class Area(NamedTuple):
    """Regions that are filled together.

    Attributes
    ----------
    box
        Around them and the surroundings that their fill is made of, in pixels, not clipped.
    regions
        They, in the order given.
    cell
        Side of the cells that the fill is computed in, in pixels: a power of two.
    """

    box: Box
    regions: tuple[Region, ...]
    cell: int


def areas_of(regions: Sequence[Region], reach: float = 0.0) -> tuple[Area, ...]:
    """Return the regions in groups that touch, or lie within ``reach`` pixels of each other."""
    groups = _touching([region.box for region in regions], reach)
    return tuple(_area([regions[number] for number in group]) for group in groups)


def _area(regions: Sequence[Region]) -> Area:
    wide = [_with_surroundings(region) for region in regions]
    box = Box(
        min(item.x1 for item in wide),
        min(item.y1 for item in wide),
        max(item.x2 for item in wide),
        max(item.y2 for item in wide),
    )
    finest = min(region.box.long_side for region in regions)
    cell = 1
    while cell < COARSEST and (finest >= FINEST_GRID * cell or box.area > MOST_CELLS * cell * cell):
        cell *= 2
    return Area(box, tuple(regions), cell)


def _with_surroundings(region: Region) -> Box:
    margin = max(LEAST_AROUND, AROUND * region.box.long_side) + region.feather
    x1, y1, x2, y2 = region.box
    return Box(x1 - margin, y1 - margin, x2 + margin, y2 + margin)


def _touching(boxes: Sequence[Box], reach: float) -> list[list[int]]:
    """Return the numbers of boxes in groups: whoever touches one of a group belongs to it."""
    edges = np.array(boxes, np.float64).reshape(-1, 4)
    left = np.ones(len(boxes), np.bool_)
    groups = list[list[int]]()
    for first in range(len(boxes)):
        if not left[first]:
            continue
        group, waiting = [first], [first]
        left[first] = False
        while waiting:
            x1, y1, x2, y2 = edges[waiting.pop()]
            across = (edges[:, 0] - reach <= x2) & (edges[:, 2] + reach >= x1)
            meets = across & (edges[:, 1] - reach <= y2) & (edges[:, 3] + reach >= y1)
            found = np.flatnonzero(meets & left).tolist()
            left[found] = False
            group += found
            waiting += found
        groups.append(sorted(group))
    return groups
