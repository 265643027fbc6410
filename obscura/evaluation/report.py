"""Metrics of one detector on one set of photos, over all objects and by size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from obscura.evaluation.coverage import covered_share, grown
from obscura.evaluation.matching import areas, match
from obscura.evaluation.metrics import average_precision, precision_recall_curve, recall_at, score_floor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from obscura.evaluation.matching import Photo
    from obscura.evaluation.metrics import Curve

    Floats = NDArray[np.float64]

FEW_FALSE = 0.1
MORE_FALSE = 1.0


@dataclass(frozen=True, slots=True)
class SizeBins:
    """Size bins of the report.

    Attributes
    ----------
    side
        The measured side of a label.
    edges
        Ascending limits in pixels of the photo; a label on a limit belongs to the larger bin.
    """

    side: Literal["width", "height"]
    edges: tuple[float, ...]

    def names(self) -> tuple[str, ...]:
        """Return a name for each bin, smallest first: ``<16``, ``16-32``, ..., ``>=96``."""
        between = [f"{low:g}-{high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False)]
        return (f"<{self.edges[0]:g}", *between, f">={self.edges[-1]:g}")

    def assign(self, labels: Floats) -> NDArray[np.intp]:
        """Return the index of each label's bin, ``[m]``."""
        axis = 0 if self.side == "width" else 1
        return np.digitize(labels[:, axis + 2] - labels[:, axis], self.edges)


FACE_BINS = SizeBins("height", (16, 32, 96))
PLATE_BINS = SizeBins("width", (32, 64, 128))


@dataclass(frozen=True, slots=True)
class BinResult:
    """Recall of the labels of one size, at the thresholds for all sizes together."""

    name: str
    labels: int
    recall_few_false: float
    recall_more_false: float


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics of one detector.

    Attributes
    ----------
    photos, labels
        Numbers of photos and labels.
    average_precision
        At the requested IoU, all-points interpolation.
    recall_few_false, recall_more_false
        At 0.1 and at 1 false box per photo.
    floor_few_false, floor_more_false
        The score floors for these numbers (boxes above count).
    covered
        Share of the labelled area under the grown boxes that count at 0.1 false boxes per photo.
    bins
        Recall by size, smallest first.
    curve
        All operating points.
    """

    photos: int
    labels: int
    average_precision: float
    recall_few_false: float
    recall_more_false: float
    floor_few_false: float
    floor_more_false: float
    covered: float
    bins: tuple[BinResult, ...]
    curve: Curve


def evaluate(photos: Sequence[Photo], bins: SizeBins, min_iou: float = 0.5, growth: float = 1.3) -> Report:
    """Return the metrics of one detector.

    Parameters
    ----------
    photos
        Labels and detections of every photo, including photos without either.
    bins
        Size bins.
    min_iou
        IoU from which a detection matches a label.
    growth
        Factor by which redaction grows a box, for the covered area.
    """
    outcomes = [match(photo, min_iou) for photo in photos]
    curve = precision_recall_curve(outcomes)
    few, more = score_floor(outcomes, FEW_FALSE), score_floor(outcomes, MORE_FALSE)
    label_scores = np.concatenate([outcome.label_scores for outcome in outcomes]) if outcomes else np.zeros(0)
    sizes = np.concatenate([bins.assign(photo.labels) for photo in photos]) if photos else np.zeros(0)
    results = []
    for index, name in enumerate(bins.names()):
        scores = label_scores[sizes == index]
        results.append(BinResult(name, len(scores), _share_above(scores, few), _share_above(scores, more)))
    return Report(
        photos=len(photos),
        labels=len(label_scores),
        average_precision=average_precision(curve),
        recall_few_false=recall_at(outcomes, few),
        recall_more_false=recall_at(outcomes, more),
        floor_few_false=few,
        floor_more_false=more,
        covered=covered_area_share(photos, few, growth),
        bins=tuple(results),
        curve=curve,
    )


def covered_area_share(photos: Sequence[Photo], floor: float, growth: float) -> float:
    """Return the share of labelled pixels under grown boxes scored above ``floor``; NaN without labels."""
    hidden = total = 0.0
    for photo in photos:
        size = areas(photo.labels)
        boxes = grown(photo.boxes[photo.scores > floor], growth)
        hidden += float((covered_share(photo.labels, boxes) * size).sum())
        total += float(size.sum())
    return hidden / total if total else math.nan


def _share_above(scores: Floats, floor: float) -> float:
    return float((scores > floor).mean()) if len(scores) else math.nan
