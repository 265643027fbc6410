"""Objects on their side or upside down: a child in a bed, a gymnast, a photo without its orientation.

The networks learnt from upright photos and see little else. So where nothing clear stands upright, of
whatever class, the proposal network also goes over a small copy of the photo, turned by a quarter, by half
and by three quarters. Where it sees an object that is new, the photo is searched once more in
that orientation (`Inputs.turned`).
"""

from typing import Final

import numpy as np

from obscura.detection.arrays import Floats, Mask
from obscura.detection.merging import Candidates
from obscura.detection.nms import areas, intersections
from obscura.geometry import Size

__all__ = [
    "CLEAR_SCORE",
    "PROBE_SCORE",
    "QUARTER_TURNS",
    "SCORE_IN_UPRIGHT",
    "least_turned_score",
    "new_ones",
    "turned_boxes",
    "turned_size",
]

QUARTER_TURNS: Final = (1, 2, 3)
"""Turns of 90 degrees, counter-clockwise."""

PROBE_SCORE: Final = 0.3
"""Score in the small copy, 0..1, from which a photo that is not upright is searched once more."""

COVERED: Final = 0.5
"""Share of the smaller of two boxes that lies in the other, from which both are taken for one object."""

AS_SURE: Final = 0.7
"""Share of a turned detection's score that an upright one on it must have to make it nothing new: of a face
on its side the networks see something, with a low score and a loose box."""

CLEAR_SCORE: Final = 0.8
"""Score of an upright detection, or of a proposal of any class, from which a photo is surely upright: it is
not turned at all."""

UPRIGHT_SCORE: Final = 0.5
"""Score of an upright detection from which a photo is taken to be upright."""

SCORE_IN_UPRIGHT: Final = 0.5
"""Score from which a turned detection counts in an upright photo, and from which one in the small copy leads
to a search. Those that are wrong are mostly hands."""

SCORE_IN_OTHERS: Final = 0.2
"""Score from which it counts in other photos."""


def least_turned_score(upright: Candidates) -> float:
    """Return the score, 0..1, from which turned detections count beside the upright ones."""
    return SCORE_IN_UPRIGHT if (upright.scores >= UPRIGHT_SCORE).any() else SCORE_IN_OTHERS


def new_ones(turned: Candidates, found: Candidates) -> Mask:
    """Return which boxes of a turned search, ``[n]``, lie on no object of ``found`` that is about as sure."""
    smaller = np.minimum(areas(turned.boxes)[:, None], areas(found.boxes)[None]).clip(1e-6)
    is_covered = intersections(turned.boxes, found.boxes) / smaller >= COVERED
    is_as_sure = found.scores[None] >= AS_SURE * turned.scores[:, None]
    known: Mask = (is_covered & is_as_sure).any(axis=1)
    return ~known


def turned_size(size: Size, quarter_turns: int) -> Size:
    """Return the size of a picture after quarter turns."""
    return Size(size.height, size.width) if quarter_turns % 2 else size


def turned_boxes(boxes: Floats, size: Size, quarter_turns: int) -> Floats:
    """Return boxes ``[n, 4]`` of a picture of ``size`` pixels after 0 to 3 quarter turns counter-clockwise.

    ``turned_boxes(boxes, turned_size(size, turns), 4 - turns)`` leads back.
    """
    x1, y1, x2, y2 = boxes.T
    width, height = size
    match quarter_turns:
        case 1:
            sides = (y1, width - x2, y2, width - x1)
        case 2:
            sides = (width - x2, height - y2, width - x1, height - y1)
        case 3:
            sides = (height - y2, x1, height - y1, x2)
        case _:
            sides = (x1, y1, x2, y2)
    return np.stack(sides, axis=1)
