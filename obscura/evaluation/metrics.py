"""Metrics over many photos: average precision, and recall at a number of false boxes per photo."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from obscura.evaluation.matching import PhotoOutcome

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A detector's operating points, one for every distinct score, best score first.

    Attributes
    ----------
    thresholds
        Score from which a box counts, ``[k]``.
    recall
        Share of labels found, ``[k]`` in 0..1.
    precision
        Share of counted boxes that match a label, ``[k]`` in 0..1.
    false_per_photo
        Boxes that match no label, per photo, ``[k]``.
    """

    thresholds: Floats
    recall: Floats
    precision: Floats
    false_per_photo: Floats


def precision_recall_curve(outcomes: Sequence[PhotoOutcome]) -> Curve:
    """Return the operating points over all photos; empty when nothing was detected or labelled."""
    labels = sum(len(outcome.label_scores) for outcome in outcomes)
    scores, hits = _pooled(outcomes)
    if not labels or not len(scores):
        nothing = np.zeros(0)
        return Curve(nothing, nothing, nothing, nothing)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], hits[order]
    # Boxes of equal score are counted together, because no threshold can separate them.
    last_of_run = np.append(scores[1:] != scores[:-1], np.True_)
    found = hits.cumsum()[last_of_run]
    wrong = (~hits).cumsum()[last_of_run]
    return Curve(scores[last_of_run], found / labels, found / (found + wrong), wrong / len(outcomes))


def average_precision(curve: Curve) -> float:
    """Return the area under the precision-recall curve, all-points interpolation, in 0..1.

    Precision at a recall is the best precision at that recall or a higher one (Pascal VOC since 2010).
    """
    if not len(curve.recall):
        return 0.0
    best_from_here_on = np.maximum.accumulate(curve.precision[::-1])[::-1]
    steps = np.diff(curve.recall, prepend=0.0)
    return float((steps * best_from_here_on).sum())


def score_floor(outcomes: Sequence[PhotoOutcome], false_per_photo: float) -> float:
    """Return the score above which at most ``false_per_photo`` false boxes per photo remain.

    Boxes with a score *strictly greater* than the floor count; ``-inf`` when all may count.
    """
    scores, hits = _pooled(outcomes)
    false_scores = np.sort(scores[~hits])[::-1]
    # Tolerance for rounding: 0.1 x 110 photos allows 11 false boxes, not 10.
    allowed = math.floor(false_per_photo * len(outcomes) + 1e-9)
    return float(false_scores[allowed]) if len(false_scores) > allowed else -math.inf


def recall_at(outcomes: Sequence[PhotoOutcome], floor: float) -> float:
    """Return the share of labels found by boxes with a score greater than ``floor``; NaN without labels."""
    label_scores = [outcome.label_scores for outcome in outcomes]
    found = np.concatenate(label_scores) if label_scores else np.zeros(0)
    return float((found > floor).mean()) if len(found) else math.nan


def _pooled(outcomes: Sequence[PhotoOutcome]) -> tuple[Floats, NDArray[np.bool_]]:
    if not outcomes:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    return scores, np.concatenate([outcome.hits for outcome in outcomes])
