"""Choose from the proposals what the full detector does with a photo.

The proposal network costs a sixth of a full detector and covers all classes at once. On most photos that is
enough: there is no object, or the objects are clear, or crop re-scoring decides. What is still uncertain then
needs a slice of the full detector, which sees an object in its surroundings. A crowd of uncertain proposals
means that others were missed: there the full detector runs over the whole photo, in a large one over the
tiles in which the crowd is. A class whose auxiliary network stands in needs none of it.

The choice depends on this photo only, so equal photos get equal answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from obscura.contract import Quality
from obscura.detection.arrays import Mask
from obscura.detection.merging import Candidates
from obscura.detection.rescoring import RESCORING, CropView, Rescoring
from obscura.detection.tiling import InferenceSlice

__all__ = [
    "ACTIVITY_SCORE",
    "CROWD_WINDOWS",
    "EffortRule",
    "effort_rule_for",
    "is_tiled",
    "needs_slice",
    "plan_crowd",
]

ACTIVITY_SCORE: Final = 0.05
"""Score from which a proposal counts as activity. Weaker ones still get a re-scoring window."""

CROWD_WINDOWS: Final = Rescoring(0.03, 0.85, (CropView(40, 128, mirrored=False),))
"""Crop re-scoring in a crowd. Windows of two kinds around every box from 0.01 on, as without proposals, were
three fifths of a crowd's cost."""


@dataclass(frozen=True, slots=True)
class EffortRule:
    """What is unclear in a class, and from how many unclear objects on the full detector runs.

    Chosen on the validation photos for the shipped weights; measure again after training.

    Attributes
    ----------
    windows
        Crop re-scoring of the proposals.
    clear_score
        Score, 0..1, below which a proposal is unclear.
    small_side
        Longer side in input pixels below which a proposal is unclear whatever its score, because small
        objects come in numbers.
    crowd
        Number of unclear proposals from which the full detector runs over the whole photo.
    open_scores
        Scores, 0..1, between which an object is still unclear after crop re-scoring.
    one_slice
        Number of these from which the full detector runs over one slice.
    """

    windows: Rescoring
    clear_score: float
    small_side: float
    crowd: int
    open_scores: tuple[float, float]
    one_slice: int


_EFFORT_RULES: Final[Mapping[str, EffortRule]] = MappingProxyType(
    {
        "face": EffortRule(RESCORING[Quality.FAST], 0.5, 24.0, 6, (0.1, 0.5), 2),
        # A crop around a false plate often resembles one; the surroundings in a full slice decide.
        "plate": EffortRule(replace(RESCORING[Quality.FAST], lower_score=0.04), 0.7, 0.0, 8, (0.1, 0.85), 1),
    }
)


def effort_rule_for(class_name: str) -> EffortRule:
    """Return the rule of a class; an unknown class has that of faces."""
    return _EFFORT_RULES.get(class_name, _EFFORT_RULES["face"])


def is_unclear(found: Candidates, rule: EffortRule) -> Mask:
    """Return which proposals (boxes in pixels of the photo) are uncertain or small, ``[n]``."""
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0.0) * found.scale
    unclear: Mask = (found.scores >= ACTIVITY_SCORE) & (
        (found.scores < rule.clear_score) | (sides < rule.small_side)
    )
    return unclear


def needs_slice(rescored: Candidates, rule: EffortRule) -> bool:
    """Return whether the full detector has to run over one slice after crop re-scoring."""
    lowest, clear = rule.open_scores
    left = int(np.count_nonzero((rescored.scores >= lowest) & (rescored.scores < clear)))
    return left >= rule.one_slice


def plan_crowd(
    proposals: Candidates, rule: EffortRule, whole: Sequence[InferenceSlice]
) -> tuple[InferenceSlice, ...]:
    """Return the slices of the full detector over a crowd; none where the proposals show no crowd.

    Parameters
    ----------
    proposals
        Boxes in pixels of the photo.
    rule
        The rule of the class.
    whole
        The slices that the full detector would run without proposals; for a large photo an overview, then
        tiles, of which those with a crowd are returned. Where a small photo is enlarged, its largest slice
        is enough: nothing in it is too large for the network.
    """
    unclear = proposals.take(is_unclear(proposals, rule))
    if len(unclear) < rule.crowd:
        return ()
    if is_tiled(whole):
        return tiles_with(unclear, whole[1:], rule.crowd)
    largest = max(whole, key=lambda item: item.long_side)
    return (largest,) if largest.long_side > largest.region.size.long_side else tuple(whole)


def is_tiled(slices: Sequence[InferenceSlice]) -> bool:
    """Return whether slices show parts of a photo."""
    return any(any(item.inner_edges) for item in slices)


def tiles_with(found: Candidates, tiles: Sequence[InferenceSlice], least: int) -> tuple[InferenceSlice, ...]:
    """Return the tiles that contain the middles of at least ``least`` boxes."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2

    def count(item: InferenceSlice) -> int:
        region = item.region
        inside = (middles >= region[:2]) & (middles < region[2:])
        return int(np.count_nonzero(inside.all(axis=1)))

    return tuple(item for item in tiles if count(item) >= least)
