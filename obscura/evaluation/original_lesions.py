"""The detector of the legacy object-masking system, for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from obscura.evaluation.froc import Marks

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "original"
BRIGHT = 170
STEEP = 48
LEAST, MOST = 11, 300
FILL = 0.5


def original_marks(grey: NDArray[np.uint8]) -> Marks:
    """Return its marks in ``uint8[height, width]``; the score is the number of pixels.

    A mark is a connected region of 11 to 300 bright (grey > 170) pixels on a steep edge (Sobel > 48) that
    fills more than half of its bounding box.
    """
    across = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 1, 0))
    down = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 0, 1))
    steep = cv2.addWeighted(across, 0.5, down, 0.5, 0)
    chosen = ((grey > BRIGHT) & (steep > STEEP)).astype(np.uint8)
    _, _, stats, centres = cv2.connectedComponentsWithStats(chosen)
    stats, centres = stats[1:], centres[1:]
    area = stats[:, cv2.CC_STAT_AREA]
    fill = area / np.maximum(1, stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT])
    keep = (area >= LEAST) & (area <= MOST) & (fill > FILL)
    return Marks(np.asarray(centres[keep], np.float64), np.asarray(area[keep], np.float64))
