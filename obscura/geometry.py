"""Boxes and sizes in pixels. Uses the standard library only, so that every package may import it."""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def long_side(self) -> int:
        """The longer of the two sides, in pixels."""
        return max(self.width, self.height)

    def scaled_to(self, long_side: int) -> "Size":
        """Return the size of the same aspect ratio whose longer side is ``long_side`` pixels, rounded."""
        factor = long_side / self.long_side
        return Size(max(1, round(self.width * factor)), max(1, round(self.height * factor)))


class Box(NamedTuple):
    """An axis-aligned box ``(x1, y1, x2, y2)`` in pixels, top-left origin, ``x2``/``y2`` exclusive."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels, never negative."""
        return max(0.0, self.x2 - self.x1)

    @property
    def height(self) -> float:
        """Height in pixels, never negative."""
        return max(0.0, self.y2 - self.y1)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def long_side(self) -> float:
        """The longer of the two sides, in pixels."""
        return max(self.width, self.height)

    @property
    def is_empty(self) -> bool:
        """Whether the box has no area."""
        return self.width <= 0.0 or self.height <= 0.0

    def contains(self, other: "Box") -> bool:
        """Whether ``other`` lies wholly inside this box."""
        return self.x1 <= other.x1 and self.y1 <= other.y1 and other.x2 <= self.x2 and other.y2 <= self.y2

    def lies_in_one_of(self, others: "Iterable[Box]") -> bool:
        """Whether this box lies wholly inside a single one of ``others``."""
        return any(other.contains(self) for other in others)

    def clip(self, size: Size) -> "Box":
        """Return the part of the box that lies inside a picture of ``size``."""
        return Box(
            min(max(self.x1, 0.0), size.width),
            min(max(self.y1, 0.0), size.height),
            min(max(self.x2, 0.0), size.width),
            min(max(self.y2, 0.0), size.height),
        )

    def grow(self, factor: float) -> "Box":
        """Return the box scaled by ``factor`` about its centre."""
        dx = self.width * (factor - 1.0) / 2.0
        dy = self.height * (factor - 1.0) / 2.0
        return Box(self.x1 - dx, self.y1 - dy, self.x2 + dx, self.y2 + dy)

    def shift(self, dx: float, dy: float) -> "Box":
        """Return the box moved by ``(dx, dy)`` pixels."""
        return Box(self.x1 + dx, self.y1 + dy, self.x2 + dx, self.y2 + dy)

    def scale(self, sx: float, sy: float) -> "Box":
        """Return the box with x multiplied by ``sx`` and y by ``sy``."""
        return Box(self.x1 * sx, self.y1 * sy, self.x2 * sx, self.y2 * sy)

    def outward(self) -> "Box":
        """Return the smallest box with whole-pixel edges that contains this one."""
        return Box(math.floor(self.x1), math.floor(self.y1), math.ceil(self.x2), math.ceil(self.y2))

    def rounded(self) -> tuple[int, int, int, int]:
        """Return ``(x1, y1, x2, y2)`` rounded to whole pixels."""
        return round(self.x1), round(self.y1), round(self.x2), round(self.y2)

    def intersection(self, other: "Box") -> float:
        """Return the area that both boxes cover, in square pixels."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: "Box") -> float:
        """Return intersection over union, 0..1 (0 where both boxes are empty)."""
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0.0 else 0.0
