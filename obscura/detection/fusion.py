"""Fuse the boxes of two networks that were trained independently of one another.

Networks that learnt from different photos miss different objects and are wrong in different places, so what
both report is nearly always an object. The scores of a pair are averaged as log-odds (a logarithmic opinion
pool: Genest and Zidek 1986, "Combining Probability Distributions"), its boxes weighted by their scores.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from obscura.detection.arrays import Floats, Indices, Mask
from obscura.detection.merging import Candidates, concatenate
from obscura.detection.nms import areas, overlaps
from obscura.detection.rescoring import log_odds

__all__ = ["AUXILIARY_FUSION", "PROPOSAL_FUSION", "SUPPLEMENT_FUSION", "Fusion", "fuse"]

SAME_OBJECT = 0.4
"""Intersection over union from which boxes of the two networks are a pair."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the scores of an auxiliary network are read, as log-odds.

    Attributes
    ----------
    slope, offset
        The line that maps its log-odds to those of the full detector with the same number of false boxes.
    share
        Weight of the auxiliary network in the mean of a pair, 0..1.
    agreement
        What a pair gains, because two networks are rarely wrong in the same place.
    lower_score
        Its score, 0..1, from which a box is used.
    silence
        What a box loses that the auxiliary network does not see.
    largest
        Square root of the area, in input pixels of the auxiliary network, below which boxes take part.
    """

    slope: float
    offset: float
    share: float
    agreement: float
    lower_score: float
    silence: float = 0.0
    largest: float = math.inf

    def takes_part(self, boxes: Candidates, scale: float) -> Mask:
        """Return which boxes are small enough, ``[n]``; ``scale``: input pixels per pixel of the photo."""
        small: Mask = areas(boxes.boxes) * scale**2 < self.largest**2
        return small


AUXILIARY_FUSION: Final = Fusion(slope=1.3, offset=-1.6, share=0.6, agreement=0.6, lower_score=0.08)
"""Chosen on the validation photos for YuNet-n and the shipped weights; measure again after training."""


SUPPLEMENT_FUSION: Final = Fusion(
    slope=1.3, offset=-1.5, share=0.3, agreement=0.7, lower_score=0.05, silence=0.3, largest=72.0
)
"""The same for the auxiliary network of our own, which knows less than the full detector of all but small
objects. `silence` keeps as many false boxes at the default threshold as without it; it applies where the
photo was not reduced for this network."""

PROPOSAL_FUSION: Final = Fusion(
    slope=1.3, offset=-2.0, share=0.7, agreement=1.0, lower_score=0.15, silence=1.2
)
"""The same for the proposal network in the place of the full detector, which rejects less by itself."""


def fuse(
    own: Candidates,
    other: Candidates,
    fusion: Fusion,
    period: float | None = None,
    scale: float = 1.0,
) -> Candidates:
    """Return the boxes of both networks, one for each pair; a box of ``own`` alone may lose in score.

    Parameters
    ----------
    own
        Boxes of the full detector without duplicates.
    other
        Boxes of the auxiliary network without duplicates, with its own scores.
    fusion
        How its scores are read, and which boxes take part.
    period
        Circumference in pixels of a 360 degree panorama: its ``x`` and ``x + period`` are the same column.
    scale
        Input pixels of the auxiliary network per pixel of the photo.
    """
    takes_part = fusion.takes_part(own, scale)
    large, own = own.take(~takes_part), own.take(takes_part)
    other = other.take(fusion.takes_part(other, scale))
    read = fusion.slope * log_odds(other.scores) + fusion.offset
    other = replace(other, scores=_probability(read))
    mine, theirs = _pairs(own.boxes, other.boxes, period)
    odds = (1 - fusion.share) * log_odds(own.scores[mine]) + fusion.share * read[theirs] + fusion.agreement
    weight = (own.scores[mine] / (own.scores[mine] + other.scores[theirs]))[:, None]
    boxes, scores = own.boxes.copy(), own.scores.copy()
    near = other.boxes[theirs]
    if period is not None:
        near[:, [0, 2]] += np.round((boxes[mine, :1] - near[:, :1]) / period) * period
    boxes[mine] = boxes[mine] * weight + near * (1 - weight)
    if fusion.silence:
        scores = _probability(log_odds(scores) - fusion.silence)
    scores[mine] = _probability(odds)
    alone = np.ones(len(other), dtype=np.bool_)
    alone[theirs] = False
    return concatenate([large, replace(own, boxes=boxes, scores=scores), other.take(alone)])


def _pairs(own: Floats, other: Floats, period: float | None) -> tuple[Indices, Indices]:
    """Return the positions of boxes that overlap each other more than any other box, in both lists."""
    if not len(own) or not len(other):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    shared = overlaps(own, other, period)
    partners = shared.argmax(axis=1)
    each = np.arange(len(own))
    mutual = (shared.argmax(axis=0)[partners] == each) & (shared[each, partners] >= SAME_OBJECT)
    return each[mutual], partners[mutual]


def _probability(odds: NDArray[np.floating]) -> Floats:
    probability: Floats = (1.0 / (1.0 + np.exp(-odds))).astype(np.float32)
    return probability
