"""Segment the breast from air, labels and film edges."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box

Plane: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.uint8]
"""``[height, width]``, 1 inside."""

STEP: Final = 4
"""Masks are computed on every fourth pixel, because the outline of a breast is smooth."""
SMOOTH: Final = 2.0
SHARE: Final = 0.5
"""Share of Otsu's threshold: with much air in the picture it separates dense from fatty tissue, and skin is
darker."""
OPEN: Final = 9
CLOSE: Final = 15
LEAST_SHARE: Final = 0.01
"""Smallest share of the picture that a breast covers."""
FLAT: Final = 1e-3


def breast_mask(grey: Plane) -> Mask:
    """Return the mask of the breast, the largest bright region; all 0 where there is none.

    Parameters
    ----------
    grey
        ``float32[height, width]`` at 0.2 mm per pixel, any range of values.
    """
    height, width = grey.shape
    size = (max(1, width // STEP), max(1, height // STEP))
    small = cv2.GaussianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), (0, 0), SMOOTH)
    low, high = (float(value) for value in np.percentile(small, (0.5, 99.5)))
    if high - low <= FLAT:
        return np.zeros((height, width), np.uint8)
    levels = np.clip((small - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    bright = (levels > SHARE * threshold).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, disc(OPEN))
    largest = cv2.morphologyEx(_largest(np.asarray(bright, np.uint8)), cv2.MORPH_CLOSE, disc(CLOSE))
    return np.asarray(cv2.resize(largest, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def disc(diameter: int) -> Mask:
    """Return a filled circle as a structuring element."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)), np.uint8)


def bounds(mask: Mask) -> Box | None:
    """Return the bounding box of a mask, None where it is empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _largest(bright: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if count == 1:
        return np.zeros_like(bright)
    index = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[index, cv2.CC_STAT_AREA] < LEAST_SHARE * bright.size:
        return np.zeros_like(bright)
    return np.asarray(labels == index, np.uint8)
