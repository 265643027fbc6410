"""How hard a class's own network looks at a photo, after the proposal network went over all of it.

The proposal network costs a sixth of a class's own network and answers for all classes at once. On most
photos that is enough: nothing is there, or what is there is large and clear, or a few windows decide.
Where several proposals are unsure or small, others were overlooked, so the class's own network looks at the
photo once; in a crowd it looks at all scales, and at a large photo in the tiles where the crowd is.

The effort follows from the proposals on this very photo and nothing else: equal photos get equal answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from obscura.contract import Quality
from obscura.detection.arrays import Mask
from obscura.detection.merging import Candidates
from obscura.detection.rescoring import CLOSER, Closer
from obscura.detection.tiling import Pass

__all__ = ["ACTIVITY", "Activity", "Effort", "FurtherPasses", "activity_of", "effort_for", "plan_further"]

ACTIVITY: Final = 0.05
"""Score from which a proposal counts as activity. Weaker ones still get a re-scoring window."""


class Effort(IntEnum):
    """What a class's own network does with a photo."""

    WINDOWS = 0
    """Re-scoring windows around what the proposal network is unsure of."""

    ONE_PASS = 1
    """One pass at its own input size instead of the proposals, and windows."""

    ALL_SCALES = 2
    """All passes that it would make without a proposal network, and windows of two sizes."""


@dataclass(frozen=True, slots=True)
class Activity:
    """When a proposal of a class is unclear, and how many unclear ones ask for which effort.

    Chosen on the validation photos for the shipped weights; measure again after training.

    Attributes
    ----------
    sure
        Score, 0..1, from which a proposal is clear,
    small
        unless its longer side has fewer input pixels than this: small objects come in numbers.
    one_pass, all_scales
        Unclear proposals from which the effort is taken.
    """

    sure: float
    small: float
    one_pass: int
    all_scales: int


@dataclass(frozen=True, slots=True)
class FurtherPasses:
    """What follows the proposals.

    Attributes
    ----------
    passes
        Of the class's own network; none where windows are enough.
    closer
        Which boxes are re-scored, and how.
    keeps_proposals
        Whether the proposals count beside what these passes find. Where the class's own network has seen the
        whole photo they do not: it also knows what is no object.
    """

    passes: tuple[Pass, ...]
    closer: Closer
    keeps_proposals: bool


_ACTIVITIES: Final[Mapping[str, Activity]] = MappingProxyType(
    {
        "face": Activity(sure=0.5, small=24.0, one_pass=2, all_scales=6),
        # What looks like a plate from near is often none: only its surroundings tell.
        "plate": Activity(sure=0.7, small=0.0, one_pass=1, all_scales=8),
    }
)


def activity_of(class_name: str) -> Activity:
    """Return the rule of a class; a class that is not known has that of faces."""
    return _ACTIVITIES.get(class_name, _ACTIVITIES["face"])


def is_unclear(found: Candidates, rule: Activity) -> Mask:
    """Return which proposals (boxes in pixels of the photo) are unsure or small, ``[n]``."""
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0.0) * found.scale
    unclear: Mask = (found.scores >= ACTIVITY) & ((found.scores < rule.sure) | (sides < rule.small))
    return unclear


def effort_for(unclear: int, rule: Activity) -> Effort:
    """Return the effort that so many unclear proposals ask for."""
    if unclear >= rule.all_scales:
        return Effort.ALL_SCALES
    return Effort.ONE_PASS if unclear >= rule.one_pass else Effort.WINDOWS


def plan_further(
    proposals: Candidates, rule: Activity, whole: Sequence[Pass], single: Sequence[Pass]
) -> FurtherPasses:
    """Return what a class's own network does with a photo after the proposal network.

    Parameters
    ----------
    proposals
        From a score of `ACTIVITY` on, boxes in pixels of the photo.
    rule
        Of the class.
    whole
        The passes that the class's own network would make without proposals; for a large photo an overview,
        then tiles.
    single
        Its pass at its own input size.
    """
    unclear = proposals.take(is_unclear(proposals, rule))
    effort = effort_for(len(unclear), rule)
    is_tiled = any(any(item.cuts) for item in whole)
    if effort is Effort.WINDOWS or (effort is Effort.ONE_PASS and is_tiled):
        return FurtherPasses((), CLOSER[Quality.FAST], keeps_proposals=True)
    if effort is Effort.ONE_PASS:
        return FurtherPasses(tuple(single), CLOSER[Quality.FAST], keeps_proposals=False)
    if is_tiled:
        # Of the tiles that nobody looks at again the proposals are all that is known.
        tiles = tiles_with(unclear, whole[1:], rule.all_scales)
        return FurtherPasses(tiles, CLOSER[Quality.BALANCED if tiles else Quality.FAST], keeps_proposals=True)
    return FurtherPasses(tuple(whole), CLOSER[Quality.BALANCED], keeps_proposals=False)


def tiles_with(found: Candidates, tiles: Sequence[Pass], least: int) -> tuple[Pass, ...]:
    """Return the tiles in which the middles of at least ``least`` of the boxes lie."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2

    def count(item: Pass) -> int:
        region = item.region
        inside = (middles >= region[:2]) & (middles < region[2:])
        return int(np.count_nonzero(inside.all(axis=1)))

    return tuple(item for item in tiles if count(item) >= least)
