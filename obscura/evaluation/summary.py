"""Summary of a detector's metrics: its report, and its operating point at the default threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from obscura.evaluation.coverage import covered_share, grown
from obscura.evaluation.matching import areas, match
from obscura.evaluation.metrics import recall_at
from obscura.evaluation.report import FEW_FALSE, MORE_FALSE, Report, SizeBins, evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from obscura.evaluation.matching import Photo
    from obscura.evaluation.metrics import Curve

    Floats = NDArray[np.float64]

FALSE_RATES = (f"{FEW_FALSE:g}", f"{MORE_FALSE:g}")
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Rules:
    """Evaluation options.

    Attributes
    ----------
    bins
        Size bins.
    min_iou
        IoU from which a detection matches a label.
    growth
        Factor by which redaction grows a box.
    """

    bins: SizeBins
    min_iou: float
    growth: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Metrics at one threshold.

    Attributes
    ----------
    threshold
        Boxes from this score on count.
    recall, precision
        0..1; NaN without labels or boxes.
    false_per_photo
        False boxes per photo.
    covered
        Share of the labelled area that redaction would hide.
    """

    threshold: float
    recall: float
    precision: float
    false_per_photo: float
    covered: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a detector's metrics.

    Attributes
    ----------
    name
        Name of the detector.
    report
        Metrics that do not depend on a threshold.
    usual
        Metrics at its default threshold.
    cpu_ms
        Mean processor time of a photo in milliseconds, over all threads.
    """

    name: str
    report: Report
    usual: OperatingPoint
    cpu_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics as JSON types; ``None`` where one is undefined."""
        report = self.report
        few = (report.floor_few_false, report.recall_few_false)
        more = (report.floor_more_false, report.recall_more_false)
        recalls = [
            {size.name: rounded(size.recall_few_false) for size in report.bins},
            {size.name: rounded(size.recall_more_false) for size in report.bins},
        ]
        return {
            "name": self.name,
            "ap": rounded(report.average_precision),
            "at_false_per_photo": {
                rate: {
                    "threshold": rounded(threshold_above(report.curve, floor)),
                    "recall": rounded(recall),
                    "recall_by_size": by_size,
                }
                for rate, (floor, recall), by_size in zip(FALSE_RATES, (few, more), recalls, strict=True)
            },
            "at_default": {
                "threshold": rounded(self.usual.threshold),
                "recall": rounded(self.usual.recall),
                "precision": rounded(self.usual.precision),
                "false_per_photo": rounded(self.usual.false_per_photo),
                "covered_pixel_recall": rounded(self.usual.covered),
            },
            "cpu_ms": round(self.cpu_ms, 1),
        }


def summarise(name: str, photos: Sequence[Photo], rules: Rules, threshold: float, cpu_ms: float) -> Summary:
    """Return the summary of a detector.

    Parameters
    ----------
    name
        Name of the detector.
    photos
        Labels and detections of every photo.
    rules
        Evaluation options.
    threshold
        Its default threshold.
    cpu_ms
        Its processor time of a photo in milliseconds.
    """
    report = evaluate(photos, rules.bins, rules.min_iou, rules.growth)
    return Summary(name, report, operating_point(photos, rules, threshold), cpu_ms)


def operating_point(photos: Sequence[Photo], rules: Rules, threshold: float) -> OperatingPoint:
    """Return the metrics at a threshold."""
    outcomes = [match(photo, rules.min_iou) for photo in photos]
    counted = np.concatenate([outcome.hits[outcome.scores >= threshold] for outcome in outcomes])
    return OperatingPoint(
        threshold,
        recall_at(outcomes, math.nextafter(threshold, -math.inf)),
        float(counted.mean()) if len(counted) else math.nan,
        float((~counted).sum()) / len(photos),
        covered_pixel_recall(photos, threshold, rules.growth),
    )


def covered_pixel_recall(photos: Sequence[Photo], threshold: float, growth: float) -> float:
    """Return the share of the labelled area that redaction at a threshold would hide; NaN without labels."""
    total = sum(float(areas(photo.labels).sum()) for photo in photos)
    hidden = sum(
        float((hidden_share(photo, threshold, growth) * areas(photo.labels)).sum()) for photo in photos
    )
    return hidden / total if total else math.nan


def hidden_share(photo: Photo, threshold: float, growth: float) -> Floats:
    """Return the share of each label that redaction at a threshold would hide, ``[m]``.

    Boxes are grown and rounded outward to whole pixels, as in redaction.
    """
    boxes = grown(photo.boxes[photo.scores >= threshold], growth)
    painted = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    return covered_share(photo.labels, painted)


def threshold_above(curve: Curve, floor: float) -> float:
    """Return the lowest score above a floor, to be used as threshold; NaN where there is none."""
    above = curve.thresholds[curve.thresholds > floor]
    return float(above.min()) if len(above) else math.nan


def rounded(value: float) -> float | None:
    """Return a value rounded to four digits, None for NaN and infinities."""
    return round(value, DIGITS) if math.isfinite(value) else None
