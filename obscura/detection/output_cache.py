"""Cache of raw outputs, so that a second run over a picture reuses the slices that have not changed.

A slice in which no pixel has changed needs no second run: equal input gives equal output. Whether pixels have
changed is found by comparing them, never concluded from the regions that were painted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import cv2
import numpy as np

from obscura.detection.arrays import Floats, Mask, Pixels
from obscura.detection.letterbox import Placing
from obscura.detection.tiling import InferenceSlice, Region
from obscura.geometry import Box, Size

__all__ = ["EMPTY_CACHE", "Changes", "OutputCache", "RawOutput"]

CELL = 64
"""Side in pixels of the squares in which changes are recorded."""


class RawOutput(NamedTuple):
    """The raw output of one slice, ``[4 + classes, anchors]``, and its region's position in the input.

    Boxes are those of the region as it is, also where the network saw it mirrored or turned.
    """

    output: Floats
    placing: Placing


OutputCache: TypeAlias = Mapping[InferenceSlice, RawOutput]
"""Raw outputs of the slices of one photo by one detector."""

EMPTY_CACHE: Final[OutputCache] = MappingProxyType({})


@dataclass(frozen=True, eq=False, slots=True)
class Changes:
    """The areas in which two pictures of one size differ.

    Attributes
    ----------
    size
        Of both pictures, in pixels.
    cells
        ``bool[rows, columns]``: squares of `CELL` pixels in which any pixel differs.
    """

    size: Size
    cells: Mask

    @classmethod
    def between(cls, first: Pixels, second: Pixels) -> "Changes":
        """Compare all pixels of two pictures ``uint8[height, width, 3]``.

        Raises
        ------
        ValueError
            If they differ in size.
        """
        if first.shape != second.shape:
            message = f"pictures of {first.shape} and {second.shape} cannot be compared"
            raise ValueError(message)
        height, width = first.shape[:2]
        cells: Mask = np.zeros((-(-height // CELL), -(-width // CELL)), dtype=np.bool_)
        for row in range(len(cells)):
            band = slice(row * CELL, (row + 1) * CELL)
            if _differ(first[band], second[band]):
                for column in range(cells.shape[1]):
                    part = (band, slice(column * CELL, (column + 1) * CELL))
                    cells[row, column] = _differ(first[part], second[part])
        return cls(Size(width, height), cells)

    def touch(self, region: Region) -> bool:
        """Return whether any pixel may differ in a region, which may reach around a panorama's seam."""
        rows = slice(region.top // CELL, -(-region.bottom // CELL))
        columns = np.arange(region.left // CELL, -(-min(region.right, self.size.width) // CELL))
        around = np.arange(-(-max(0, region.right - self.size.width) // CELL))
        return bool(self.cells[rows][:, np.concatenate([columns, around])].any())

    def lie_within(self, boxes: Iterable[Box], margin: float) -> bool:
        """Return whether all squares with changes are within ``margin`` pixels of one of ``boxes``."""
        left = self.cells.copy()
        for box in boxes:
            x1, y1, x2, y2 = Box(box.x1 - margin, box.y1 - margin, box.x2 + margin, box.y2 + margin).clip(
                self.size
            )
            left[int(y1) // CELL : -(-int(y2) // CELL), int(x1) // CELL : -(-int(x2) // CELL)] = False
        return not left.any()

    def outside(self, cache: OutputCache) -> OutputCache:
        """Return the entries of the first picture's cache that are valid for the second one as well."""
        return {item: output for item, output in cache.items() if not self.touch(item.region)}


def _differ(first: Pixels, second: Pixels) -> bool:
    return cv2.norm(first, second, cv2.NORM_INF) > 0
