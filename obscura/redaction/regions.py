"""Regions to paint, and growing boxes into them."""

import math
from dataclasses import dataclass
from typing import Final

from obscura.errors import InvalidOptionError
from obscura.geometry import Box
from obscura.redaction.styles import RegionShape, Style

GROW: Final = 1.3
"""How much a box is grown before it is painted: detectors cut chins, ears and the first letter of a plate."""

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
    """

    box: Box
    style: Style
    shape: RegionShape = RegionShape.BOX
    feather: float = 0.0


def grown(box: Box, factor: float = GROW) -> Box:
    """Return ``box`` scaled about its centre and rounded outward to whole pixels, not clipped.

    Raises
    ------
    InvalidOptionError
        If a coordinate is not a finite number.
    """
    if not all(map(math.isfinite, box)):
        message = "the coordinates of a box must be finite numbers"
        raise InvalidOptionError(message)
    return box.grow(factor).outward()
