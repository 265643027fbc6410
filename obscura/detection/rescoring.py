"""Crop re-scoring: run the network again on a window around each candidate box.

In a pass over a whole photo a far face has a dozen pixels, and much of a dozen pixels looks like a face. So
every box that a pass reports, however unsure it is, is brought to a size that the network knows well in the
middle of a small window, and asked about once more. Both answers are averaged as log-odds (a logarithmic
opinion pool: Genest and Zidek 1986, "Combining Probability Distributions"), the boxes by how large each look
saw the object. A window costs a tenth of a pass; boxes of like size that lie close together share one.

Windows come in few scales and lie on a grid: what two engines see a fraction of a pixel apart gets the same
window nearly always, and so does what is looked at again.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from obscura.contract import Quality
from obscura.detection.arrays import Floats, Indices, Mask
from obscura.detection.merging import Candidates
from obscura.detection.nms import overlaps
from obscura.detection.tiling import Edges, Pass, Region
from obscura.geometry import Box, Size

__all__ = [
    "CLOSER",
    "LEAST",
    "WINDOW_SIZES",
    "Closer",
    "Glance",
    "Window",
    "judged",
    "log_odds",
    "plan_windows",
]

MAX_ENLARGEMENT = 4.0
"""Input pixels per photo pixel at most; beyond there is nothing left to be seen."""

STEPS = 4
"""Scales of windows per factor of two."""

GRID = 16
"""Places of a window's middle along its own side."""

INNER = 16.0
"""Input pixels from a window's edge that a box must keep to be asked about in it."""

LIKE_SIZE = 2.0
"""Factor by which a box may be larger or smaller than a window is meant for."""

SAME_OBJECT = 0.4
"""Intersection over union from which what a window shows is what the passes saw."""

LEAST = 0.005
"""Score from which a box in a window counts as seen there."""

SHARE = 8.0
"""Input pixels of all windows over those of the passes, at most. Few photos come near it: crowds, where it is
worth it."""

REDUCED = 3
"""Power of a window's scale over the passes' in the weight of its box where it sees an object smaller than
they did: there it is loose. Where it sees it larger the scale counts as it is; enlarging adds no detail."""

BOUND = 0.01
"""Least score, and least distance from 1, that counts: log-odds need a bound, and a window that
shows nothing is no proof."""


class Glance(NamedTuple):
    """One way to look closer.

    Attributes
    ----------
    side
        Input pixels to which an object's longer side is brought.
    window
        Side of a window, in input pixels: three times an object's, so that what is around it is seen as well.
    mirrored
        Whether the network sees the windows left-right reversed.
    """

    side: int
    window: int
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Closer:
    """How a quality looks closer.

    Attributes
    ----------
    doubt
        Score, 0..1, from which a box is worth it.
    sure
        Score from which it is not: no window would take a box of more below the models' own thresholds.
    glances
        Ways in which it is looked at.
    """

    doubt: float
    sure: float
    glances: tuple[Glance, ...]


CLOSER: Final[Mapping[Quality, Closer]] = MappingProxyType(
    {
        Quality.RAPID: Closer(0.02, 0.7, (Glance(40, 128, mirrored=False),)),
        Quality.FAST: Closer(0.02, 0.7, (Glance(56, 192, mirrored=False),)),
        Quality.BALANCED: Closer(
            0.01, 1.0, (Glance(40, 192, mirrored=False), Glance(64, 192, mirrored=True))
        ),
        Quality.THOROUGH: Closer(
            0.01,
            1.0,
            tuple(Glance(side, 192, mirrored=mirrored) for side in (40, 64) for mirrored in (False, True)),
        ),
    }
)


WINDOW_SIZES: Final = frozenset(
    Size(glance.window, glance.window) for closer in CLOSER.values() for glance in closer.glances
)
"""Sizes of all windows but those that would be larger than their photo, in input pixels."""


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A pass over a small part of a photo, and the positions of the boxes that it is asked about."""

    item: Pass
    members: Indices


def plan_windows(found: Candidates, size: Size, closer: Closer, passes: Sequence[Pass]) -> tuple[Window, ...]:
    """Return the windows for the boxes that deserve a closer look.

    Parameters
    ----------
    found
        The boxes, in pixels of the photo, those to be asked about first at the front: when all windows that
        there may be are taken, the others stay as they are.
    size
        The photo's.
    closer
        How to look.
    passes
        Those that the boxes come from.
    """
    pixels = sum(item.scaled.pixels for item in passes) * SHARE / len(closer.glances)
    asked: Mask = (found.scores >= closer.doubt) & (found.scores < closer.sure)
    return tuple(
        window for glance in closer.glances for window in _windows(found.boxes, asked, size, glance, pixels)
    )


def _windows(boxes: Floats, asked: Mask, size: Size, glance: Glance, pixels: float) -> Iterator[Window]:
    """Yield windows, at most of ``pixels``, for those of the boxes ``[n, 4]`` that are ``asked`` about."""
    free = asked.copy()
    most = math.ceil(pixels / glance.window**2)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0).max(axis=1, initial=1.0)
    while most and free.any():
        first = int(free.argmax())
        scale = _step(min(glance.side / float(sides[first]), MAX_ENLARGEMENT))
        item = _window(Box(*boxes[first].tolist()), size, scale, glance)
        alike = np.abs(np.log(sides / sides[first])) <= math.log(LIKE_SIZE)
        members = free & alike & _inside(boxes, item, INNER / scale)
        members[first] = True
        free &= ~members
        most -= 1
        yield Window(item, np.flatnonzero(members))


def _window(box: Box, size: Size, scale: float, glance: Glance) -> Pass:
    """Return the pass over the window around ``box``, moved where it would leave the photo."""
    side = math.ceil(glance.window / scale)
    left, width = _span((box.x1 + box.x2) / 2, side, size.width)
    top, height = _span((box.y1 + box.y2) / 2, side, size.height)
    region = Region(left, top, left + width, top + height)
    cuts = Edges(left > 0, top > 0, region.right < size.width, region.bottom < size.height)
    return Pass(region, max(1, round(max(width, height) * glance.window / side)), cuts, glance.mirrored)


def _step(scale: float) -> float:
    return float(2.0 ** (round(math.log2(scale) * STEPS) / STEPS))


def _span(middle: float, side: int, whole: int) -> tuple[int, int]:
    """Return start and length of ``side`` pixels around ``middle`` within ``whole``."""
    length = min(side, whole)
    step = max(1, side // GRID)
    return min(max(round((middle - length / 2) / step) * step, 0), whole - length), length


def _inside(boxes: Floats, item: Pass, margin: float) -> Mask:
    """Return which boxes ``[n, 4]`` keep ``margin`` from the edges of a region that cut the photo."""
    region, cuts = item.region, item.cuts
    inside: Mask = np.ones(len(boxes), dtype=np.bool_)
    if cuts.left:
        inside &= boxes[:, 0] >= region.left + margin
    if cuts.top:
        inside &= boxes[:, 1] >= region.top + margin
    if cuts.right:
        inside &= boxes[:, 2] <= region.right - margin
    if cuts.bottom:
        inside &= boxes[:, 3] <= region.bottom - margin
    return inside


def judged(found: Candidates, looks: Sequence[tuple[Window, Candidates]]) -> Candidates:
    """Return ``found`` with the scores and boxes that passes and windows give together.

    Parameters
    ----------
    found
        What the passes saw.
    looks
        Windows for these boxes, each with what the network found in it.
    """
    count = np.zeros(len(found))
    evidence = np.zeros(len(found))
    weights = found.scale * np.maximum(found.scores, LEAST)
    total = weights.copy()
    boxes: Floats = found.boxes * weights[:, None]
    for window, shown in looks:
        scores, partners = _partners(found.boxes[window.members], shown)
        count[window.members] += 1
        evidence[window.members] += log_odds(scores)
        seen = partners >= 0
        members, partners = window.members[seen], partners[seen]
        ratio = shown.scale[partners] / found.scale[members]
        weight = found.scale[members] * np.where(ratio < 1, ratio**REDUCED, ratio) * shown.scores[partners]
        total[members] += weight
        boxes[members] += shown.boxes[partners] * weight[:, None]
    asked = count > 0
    scores = found.scores.copy()
    mean = (log_odds(found.scores[asked]) + evidence[asked] / count[asked]) / 2
    scores[asked] = 1 / (1 + np.exp(-mean))
    return replace(found, boxes=(boxes / total[:, None]).astype(np.float32), scores=scores.astype(np.float32))


def _partners(boxes: Floats, shown: Candidates) -> tuple[Floats, Indices]:
    """Return the best score on each box's object and its position in ``shown``, -1 where it shows none."""
    if not len(shown):
        return np.zeros(len(boxes), np.float32), np.full(len(boxes), -1, np.intp)
    scores = np.where(overlaps(boxes, shown.boxes) >= SAME_OBJECT, shown.scores, 0.0)
    best = scores.argmax(axis=1)
    score = scores.max(axis=1)
    return score.astype(np.float32), np.where(score > 0, best, -1).astype(np.intp)


def log_odds(scores: Floats | float) -> Floats:
    """Return the logarithm of the odds of scores, 0..1, those next to 0 and 1 bounded."""
    bounded = np.clip(scores, BOUND, 1 - BOUND)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds
