"""Crop re-scoring: run the network again on a window around each candidate box.

In a slice of a whole photo a distant face has a dozen pixels, and many things of that size resemble a face.
So every box of a slice above a low score becomes the middle of a small window, scaled so that the object has
a size on which the network was trained, and the network runs on that window. The two scores are averaged as
log-odds (a logarithmic opinion pool: Genest and Zidek 1986, "Combining Probability Distributions"), the boxes
weighted by the scale at which each run saw the object. A window costs a tenth of a slice; boxes of similar
size that lie close together share one.

Windows have few scales and lie on a grid, so that boxes which differ by a fraction of a pixel, between
engines or in a second run, nearly always get the same window.
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
from obscura.detection.tiling import Edges, InferenceSlice, Region
from obscura.geometry import Box, Size

__all__ = [
    "MIN_WINDOW_SCORE",
    "RESCORING",
    "WINDOW_SIZES",
    "CropView",
    "CropWindow",
    "Rescoring",
    "log_odds",
    "plan_windows",
    "rescore",
]

MAX_ENLARGEMENT = 4.0
"""Input pixels per photo pixel at most; enlarging further adds no detail."""

STEPS = 4
"""Number of window scales per factor of two."""

GRID = 16
"""Number of grid positions along a window's side."""

INNER = 16.0
"""Input pixels that a box must keep from a window's edge to be re-scored in it."""

LIKE_SIZE = 2.0
"""Factor by which a box may be larger or smaller than the one that a window was made for."""

SAME_OBJECT = 0.4
"""Intersection over union from which a box of a window and one of a slice are the same object."""

MIN_WINDOW_SCORE = 0.005
"""Score from which a box in a window is used."""

MAX_WINDOW_RATIO = 8.0
"""Input pixels of all windows over those of the slices, at most. Only photos of crowds reach it."""

REDUCTION_POWER = 3
"""Power of a window's scale over the slice's in the weight of its box where the window shows the object
smaller than the slice did, because its box is less accurate there. Where it shows it larger the weight is the
ratio."""

BOUND = 0.01
"""Scores are clipped to ``BOUND`` .. ``1 - BOUND``: log-odds must stay finite, and a window without a box is
weak evidence only."""


class CropView(NamedTuple):
    """Scale and size of one kind of window.

    Attributes
    ----------
    side
        Input pixels to which an object's longer side is brought.
    window
        Side of a window, in input pixels: some three times the object's, to include its surroundings.
    mirrored
        Whether the network sees the windows left-right reversed.
    """

    side: int
    window: int
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Rescoring:
    """Crop re-scoring configuration of a quality.

    Attributes
    ----------
    lower_score
        Score, 0..1, from which a box is re-scored.
    upper_score
        Score from which it is not: no window could take such a box below the models' own thresholds.
    crops
        Kinds of windows; a box gets one window of each.
    """

    lower_score: float
    upper_score: float
    crops: tuple[CropView, ...]


RESCORING: Final[Mapping[Quality, Rescoring]] = MappingProxyType(
    {
        Quality.RAPID: Rescoring(0.02, 0.7, (CropView(40, 128, mirrored=False),)),
        Quality.FAST: Rescoring(0.02, 0.7, (CropView(56, 192, mirrored=False),)),
        Quality.BALANCED: Rescoring(
            0.01, 1.0, (CropView(40, 192, mirrored=False), CropView(64, 192, mirrored=True))
        ),
        Quality.THOROUGH: Rescoring(
            0.01,
            1.0,
            tuple(CropView(side, 192, mirrored=mirrored) for side in (40, 64) for mirrored in (False, True)),
        ),
    }
)


WINDOW_SIZES: Final = frozenset(
    Size(crop.window, crop.window) for rescoring in RESCORING.values() for crop in rescoring.crops
)
"""Sizes of windows in input pixels. Only a window that is larger than its photo has another size."""


@dataclass(frozen=True, eq=False, slots=True)
class CropWindow:
    """An inference slice around candidate boxes, and the positions of the boxes that are re-scored in it."""

    view: InferenceSlice
    members: Indices


def plan_windows(
    found: Candidates, size: Size, rescoring: Rescoring, slices: Sequence[InferenceSlice]
) -> tuple[CropWindow, ...]:
    """Return the windows in which boxes are re-scored.

    Parameters
    ----------
    found
        The boxes, in pixels of the photo, most important first: once the largest number of windows is
        reached, the others keep their scores.
    size
        The photo's.
    rescoring
        Configuration.
    slices
        The slices that the boxes come from.
    """
    pixels = sum(item.scaled.pixels for item in slices) * MAX_WINDOW_RATIO / len(rescoring.crops)
    asked: Mask = (found.scores >= rescoring.lower_score) & (found.scores < rescoring.upper_score)
    return tuple(
        window for crop in rescoring.crops for window in _windows(found.boxes, asked, size, crop, pixels)
    )


def _windows(boxes: Floats, asked: Mask, size: Size, crop: CropView, pixels: float) -> Iterator[CropWindow]:
    """Yield windows of at most ``pixels`` input pixels in all for the ``asked`` ones of boxes ``[n, 4]``."""
    free = asked.copy()
    most = math.ceil(pixels / crop.window**2)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0).max(axis=1, initial=1.0)
    while most and free.any():
        first = int(free.argmax())
        scale = _step(min(crop.side / float(sides[first]), MAX_ENLARGEMENT))
        item = _window(Box(*boxes[first].tolist()), size, scale, crop)
        alike = np.abs(np.log(sides / sides[first])) <= math.log(LIKE_SIZE)
        members = free & alike & _inside(boxes, item, INNER / scale)
        members[first] = True
        free &= ~members
        most -= 1
        yield CropWindow(item, np.flatnonzero(members))


def _window(box: Box, size: Size, scale: float, crop: CropView) -> InferenceSlice:
    """Return the slice of the window around ``box``, moved where it would leave the photo."""
    side = math.ceil(crop.window / scale)
    left, width = _span((box.x1 + box.x2) / 2, side, size.width)
    top, height = _span((box.y1 + box.y2) / 2, side, size.height)
    region = Region(left, top, left + width, top + height)
    inner_edges = Edges(left > 0, top > 0, region.right < size.width, region.bottom < size.height)
    return InferenceSlice(
        region, max(1, round(max(width, height) * crop.window / side)), inner_edges, crop.mirrored
    )


def _step(scale: float) -> float:
    return float(2.0 ** (round(math.log2(scale) * STEPS) / STEPS))


def _span(middle: float, side: int, whole: int) -> tuple[int, int]:
    """Return start and length of ``side`` pixels around ``middle`` within ``whole``."""
    length = min(side, whole)
    step = max(1, side // GRID)
    return min(max(round((middle - length / 2) / step) * step, 0), whole - length), length


def _inside(boxes: Floats, item: InferenceSlice, margin: float) -> Mask:
    """Return which boxes ``[n, 4]`` keep ``margin`` from the edges of a region inside the photo."""
    region, inner_edges = item.region, item.inner_edges
    inside: Mask = np.ones(len(boxes), dtype=np.bool_)
    if inner_edges.left:
        inside &= boxes[:, 0] >= region.left + margin
    if inner_edges.top:
        inside &= boxes[:, 1] >= region.top + margin
    if inner_edges.right:
        inside &= boxes[:, 2] <= region.right - margin
    if inner_edges.bottom:
        inside &= boxes[:, 3] <= region.bottom - margin
    return inside


def rescore(found: Candidates, results: Sequence[tuple[CropWindow, Candidates]]) -> Candidates:
    """Return ``found`` with the scores and boxes of slices and windows combined.

    Parameters
    ----------
    found
        The boxes of the slices.
    looks
        Windows for these boxes, each with the boxes that the network found in it.
    """
    count = np.zeros(len(found))
    evidence = np.zeros(len(found))
    weights = found.scale * np.maximum(found.scores, MIN_WINDOW_SCORE)
    total = weights.copy()
    boxes: Floats = found.boxes * weights[:, None]
    for window, shown in results:
        scores, partners = _partners(found.boxes[window.members], shown)
        count[window.members] += 1
        evidence[window.members] += log_odds(scores)
        matched = partners >= 0
        members, partners = window.members[matched], partners[matched]
        ratio = shown.scale[partners] / found.scale[members]
        weight = (
            found.scale[members] * np.where(ratio < 1, ratio**REDUCTION_POWER, ratio) * shown.scores[partners]
        )
        total[members] += weight
        boxes[members] += shown.boxes[partners] * weight[:, None]
    asked = count > 0
    scores = found.scores.copy()
    mean = (log_odds(found.scores[asked]) + evidence[asked] / count[asked]) / 2
    scores[asked] = 1 / (1 + np.exp(-mean))
    return replace(found, boxes=(boxes / total[:, None]).astype(np.float32), scores=scores.astype(np.float32))


def _partners(boxes: Floats, shown: Candidates) -> tuple[Floats, Indices]:
    """Return for each box the best score of a box on the same object in ``shown``, and its position or -1."""
    if not len(shown):
        return np.zeros(len(boxes), np.float32), np.full(len(boxes), -1, np.intp)
    scores = np.where(overlaps(boxes, shown.boxes) >= SAME_OBJECT, shown.scores, 0.0)
    best = scores.argmax(axis=1)
    score = scores.max(axis=1)
    return score.astype(np.float32), np.where(score > 0, best, -1).astype(np.intp)


def log_odds(scores: Floats | float) -> Floats:
    """Return the natural logarithm of the odds of scores, 0..1, clipped by `BOUND`."""
    bounded = np.clip(scores, BOUND, 1 - BOUND)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds
