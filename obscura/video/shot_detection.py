"""Detect cuts between shots.

A cut that is overlooked smears a box over half a second of another scene; one that is seen where there is
none may leave a face unhidden that the detector blinked at. So only what is surely another picture counts:
most of it has another brightness, and what is bright and dark lies elsewhere.
"""

from typing import Final, TypeAlias

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

__all__ = ["ShotDetector"]

COLUMNS: Final = 32
ROWS: Final = 18
LEAST_CHANGE: Final = 24.0
"""Mean difference of brightness, of 255."""

MOST_LIKENESS: Final = 0.4
"""Correlation of what is bright and dark. Fast pans stay above 0.7, flashes above 0.9."""

Thumbnail: TypeAlias = NDArray[np.float32]


class ShotDetector:
    """Looks at one frame after the other."""

    def __init__(self) -> None:
        self._before: Thumbnail | None = None

    def begins_with(self, frame: VideoFrame) -> bool:
        """Whether ``frame`` belongs to another scene than the one before it."""
        small = frame.reformat(COLUMNS, ROWS, "gray", interpolation="AREA")
        now = small.to_ndarray().astype(np.float32)
        before, self._before = self._before, now
        return before is not None and _is_another(before, now)


def _is_another(one: Thumbnail, other: Thumbnail) -> bool:
    if float(np.abs(one - other).mean()) < LEAST_CHANGE:
        return False
    first, second = one - one.mean(), other - other.mean()
    length = float(np.sqrt((first**2).sum() * (second**2).sum()))
    # A plain picture is like no other: where both are plain, their brightness decides.
    return length == 0.0 or float((first * second).sum()) / length < MOST_LIKENESS
