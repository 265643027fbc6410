"""Evaluation of detections against labels: matching, average precision, recall, coverage.

Boxes are ``[n, 4]`` float arrays of corners ``x1, y1, x2, y2`` in
pixels of the upright photo. These modules neither open pictures nor run detectors.
"""

from obscura.evaluation.coverage import covered_share, grown
from obscura.evaluation.matching import Photo, PhotoOutcome, intersections, match, pairwise_iou
from obscura.evaluation.metrics import (
    Curve,
    average_precision,
    precision_recall_curve,
    recall_at,
    score_floor,
)
from obscura.evaluation.report import FACE_BINS, PLATE_BINS, BinResult, Report, SizeBins, evaluate

__all__ = [
    "FACE_BINS",
    "PLATE_BINS",
    "BinResult",
    "Curve",
    "Photo",
    "PhotoOutcome",
    "Report",
    "SizeBins",
    "average_precision",
    "covered_share",
    "evaluate",
    "grown",
    "intersections",
    "match",
    "pairwise_iou",
    "precision_recall_curve",
    "recall_at",
    "score_floor",
]
