"""Map between stored and displayed orientation of frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size

QUARTER = 90


def quarters(rotation: float) -> int:
    """Return how many quarter turns against the clock show a stored frame upright."""
    return round(rotation / QUARTER) % 4


def upright(pixels: NDArray[Any], turns: int) -> NDArray[Any]:
    """Return ``pixels`` ``[height, width, ...]`` after ``turns`` quarter turns against the clock."""
    return np.ascontiguousarray(np.rot90(pixels, turns))


def to_stored(box: Box, turns: int, stored: Size) -> Box:
    """Return where a box of the upright frame lies in the stored one of size ``stored``."""
    x1, y1, x2, y2 = box
    match turns:
        case 1:
            return Box(stored.width - y2, x1, stored.width - y1, x2)
        case 2:
            return Box(stored.width - x2, stored.height - y2, stored.width - x1, stored.height - y1)
        case 3:
            return Box(y1, stored.height - x2, y2, stored.height - x1)
        case _:
            return box


def down_of(turns: int) -> tuple[int, int]:
    """Return where the lower edge of the upright frame lies in the stored one, as a unit vector."""
    return ((0, 1), (-1, 0), (0, -1), (1, 0))[turns % 4]
