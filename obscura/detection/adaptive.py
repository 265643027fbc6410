"""Choose the slices of the full detector from the proposals.

The proposal network costs a sixth of a full detector and covers all classes at once. On most photos that is
enough: there is no object, or the objects are large and clear, or crop re-scoring decides. Where several
proposals are uncertain or small, others were probably missed, so the full detector runs over the photo once;
in a crowd it runs at all scales, and in a large photo over the tiles in which the crowd is.

The choice depends on the proposals of this photo only, so equal photos get equal answers.
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
from obscura.detection.rescoring import RESCORING, Rescoring
from obscura.detection.tiling import InferenceSlice

__all__ = [
    "ACTIVITY_SCORE",
    "Effort",
    "EffortRule",
    "FollowUp",
    "effort_for",
    "effort_rule_for",
    "plan_follow_up",
]

ACTIVITY_SCORE: Final = 0.05
"""Score from which a proposal counts as activity. Weaker ones still get a re-scoring window."""


class Effort(IntEnum):
    """What the full detector does with a photo."""

    WINDOWS = 0
    """Re-scoring windows around uncertain proposals only."""

    ONE_SLICE = 1
    """One slice at its own input size, which replaces the proposals, and windows."""

    ALL_SCALES = 2
    """All slices that it would run without a proposal network, and windows of two kinds."""


@dataclass(frozen=True, slots=True)
class EffortRule:
    """When a proposal of a class is unclear, and how many unclear ones lead to which effort.

    Chosen on the validation photos for the shipped weights; measure again after training.

    Attributes
    ----------
    clear_score
        Score, 0..1, below which a proposal is unclear.
    small_side
        Longer side in input pixels below which a proposal is unclear whatever its score, because small
        objects come in numbers.
    one_slice, all_scales
        Number of unclear proposals from which `Effort.ONE_SLICE` and `Effort.ALL_SCALES` are chosen.
    """

    clear_score: float
    small_side: float
    one_slice: int
    all_scales: int


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What the full detector does after the proposal network.

    Attributes
    ----------
    slices
        Slices of the full detector; none where windows are enough.
    rescoring
        Crop re-scoring configuration.
    keeps_proposals
        Whether the proposals count beside the boxes of these slices. Where the full detector covers the whole
        photo they do not, because it rejects false proposals.
    """

    slices: tuple[InferenceSlice, ...]
    rescoring: Rescoring
    keeps_proposals: bool


_EFFORT_RULES: Final[Mapping[str, EffortRule]] = MappingProxyType(
    {
        "face": EffortRule(clear_score=0.5, small_side=24.0, one_slice=2, all_scales=6),
        # A crop around a false plate often resembles one; the surroundings in a full slice decide.
        "plate": EffortRule(clear_score=0.7, small_side=0.0, one_slice=1, all_scales=8),
    }
)


def effort_rule_for(class_name: str) -> EffortRule:
    """Return the rule of a class; an unknown class has the rule of faces."""
    return _EFFORT_RULES.get(class_name, _EFFORT_RULES["face"])


def is_unclear(found: Candidates, rule: EffortRule) -> Mask:
    """Return which proposals (boxes in pixels of the photo) are uncertain or small, ``[n]``."""
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0.0) * found.scale
    unclear: Mask = (found.scores >= ACTIVITY_SCORE) & (
        (found.scores < rule.clear_score) | (sides < rule.small_side)
    )
    return unclear


def effort_for(unclear: int, rule: EffortRule) -> Effort:
    """Return the effort for a number of unclear proposals."""
    if unclear >= rule.all_scales:
        return Effort.ALL_SCALES
    return Effort.ONE_SLICE if unclear >= rule.one_slice else Effort.WINDOWS


def plan_follow_up(
    proposals: Candidates, rule: EffortRule, whole: Sequence[InferenceSlice], single: Sequence[InferenceSlice]
) -> FollowUp:
    """Return what the full detector does with a photo after the proposal network.

    Parameters
    ----------
    proposals
        Proposals from a score of `ACTIVITY_SCORE` on, boxes in pixels of the photo.
    rule
        The rule of the class.
    whole
        The slices that the full detector would run without proposals; for a large photo an overview, then
        tiles.
    single
        Its slice at its own input size.
    """
    unclear = proposals.take(is_unclear(proposals, rule))
    effort = effort_for(len(unclear), rule)
    is_tiled = any(any(item.inner_edges) for item in whole)
    if effort is Effort.WINDOWS or (effort is Effort.ONE_SLICE and is_tiled):
        return FollowUp((), RESCORING[Quality.FAST], keeps_proposals=True)
    if effort is Effort.ONE_SLICE:
        return FollowUp(tuple(single), RESCORING[Quality.FAST], keeps_proposals=False)
    if is_tiled:
        # In the tiles that are not run the proposals are the only detections.
        tiles = tiles_with(unclear, whole[1:], rule.all_scales)
        return FollowUp(tiles, RESCORING[Quality.BALANCED if tiles else Quality.FAST], keeps_proposals=True)
    return FollowUp(tuple(whole), RESCORING[Quality.BALANCED], keeps_proposals=False)


def tiles_with(found: Candidates, tiles: Sequence[InferenceSlice], least: int) -> tuple[InferenceSlice, ...]:
    """Return the tiles that contain the middles of at least ``least`` boxes."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2

    def count(item: InferenceSlice) -> int:
        region = item.region
        inside = (middles >= region[:2]) & (middles < region[2:])
        return int(np.count_nonzero(inside.all(axis=1)))

    return tuple(item for item in tiles if count(item) >= least)
