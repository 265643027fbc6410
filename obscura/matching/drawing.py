"""Draw both photos side by side with their matches, for ``debug``."""

from typing import Final

import cv2
import numpy as np

from obscura.imaging.pixels import Pixels
from obscura.matching.rule import Comparison

_HEIGHT: Final = 480
_MOST_LINES: Final = 100
_GREEN: Final = (0, 200, 0)
_RED: Final = (220, 40, 40)


def draw(standard: Pixels, photo: Pixels, comparison: Comparison) -> Pixels:
    """Return the standard photo (left) and the new one (right), 480 pixels high, with lines between inliers.

    The lines are green where both show the same thing, with the outline of the standard photo in the new one;
    otherwise red.
    """
    left, right = (_scaled(pixels) for pixels in (standard, photo))
    canvas = np.ascontiguousarray(np.hstack([left, right]))
    colour = _GREEN if comparison.same else _RED
    to_left, to_right = _HEIGHT / standard.shape[0], _HEIGHT / photo.shape[0]
    shift = np.array([left.shape[1], 0])
    points = comparison.points[:: max(1, len(comparison.points) // _MOST_LINES)]
    starts = np.rint(points[:, :2] * to_left).astype(int)
    ends = np.rint(points[:, 2:] * to_right + shift).astype(int)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        cv2.line(canvas, start, end, colour, 1, cv2.LINE_AA)
        for end_point in (start, end):
            cv2.circle(canvas, end_point, 3, colour, cv2.FILLED)
    if comparison.quad is not None:
        outline = np.rint(comparison.quad * to_right + shift).astype(np.int32)
        cv2.polylines(canvas, [outline], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
    return canvas


def _scaled(pixels: Pixels) -> Pixels:
    """Return the picture at the common height; the width is limited to four times the height."""
    height, width = pixels.shape[:2]
    size = (min(4 * _HEIGHT, max(1, round(width * _HEIGHT / height))), _HEIGHT)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
