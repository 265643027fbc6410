"""Regions to paint, and growing boxes into them."""

import math
from dataclasses import dataclass
from typing import Final

from obscura.errors import InvalidOptionError
from obscura.geometry import Box
from obscura.redaction.styles import RegionShape, Style

GROW: Final = 1.3
"""How much a box is grown before it is painted: detectors cut chins and ears."""

PLATE_GROW: Final = 1.1
"""How much a plate's box is grown: more would take half a grille with it."""

LEAST_MARGIN: Final = 2.0
"""Pixels by which a box is grown on each side at least: boxes of small things are that uncertain."""

ONE_COLOUR_BELOW: Final = 16
"""Pixels of the long side under which an object becomes one colour, whatever its style."""


@dataclass(frozen=True, slots=True)
class Region:
    """Something to paint over.

    Attributes
    ----------
    box
        What to paint, in pixels of the upright picture: grown already, not clipped.
    style, shape
        How.
    feather
        Pixels outside the outline over which the paint passes into the picture; nothing inside gets less.
    tone
        Of the style `Soft`, the number of the tone; None to choose it by the face's brightness.
    down
        Unit vector from forehead to chin of an upright head, in the directions of the picture.
    """

    box: Box
    style: Style
    shape: RegionShape = RegionShape.BOX
    feather: float = 0.0
    tone: int | None = None
    down: tuple[int, int] = (0, 1)


def grown(box: Box, factor: float = GROW) -> Box:
    """Return ``box`` scaled about its centre and rounded outward to whole pixels, not clipped.

    Where it grows at all it grows by `LEAST_MARGIN` on each side at least.

    Raises
    ------
    InvalidOptionError
        If a coordinate is not a finite number.
    """
    if not all(map(math.isfinite, box)):
        message = "the coordinates of a box must be finite numbers"
        raise InvalidOptionError(message)
    wide = box.grow(factor)
    if factor > 1.0:
        least = LEAST_MARGIN
        wide = Box(
            min(wide.x1, box.x1 - least),
            min(wide.y1, box.y1 - least),
            max(wide.x2, box.x2 + least),
            max(wide.y2, box.y2 + least),
        )
    return wide.outward()
