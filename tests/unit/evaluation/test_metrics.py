"""Average precision and recall at a bearable number of false boxes, on cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from obscura.evaluation import PhotoOutcome, average_precision, precision_recall_curve, recall_at, score_floor


def outcome(*detections: tuple[float, bool], missed: int = 0) -> PhotoOutcome:
    """Return one photo's outcome from (score, hit) pairs and a number of labels nobody found."""
    ordered = sorted(detections, reverse=True)
    label_scores = [score for score, hit in ordered if hit] + [-math.inf] * missed
    return PhotoOutcome(
        np.array([score for score, _ in ordered], dtype=np.float64),
        np.array([hit for _, hit in ordered], dtype=np.bool_),
        np.array(label_scores),
    )


@pytest.mark.parametrize(
    ("title", "photos", "expected"),
    [
        ("all found, none false", [outcome((0.9, True)), outcome((0.8, True))], 1.0),
        ("one of two found", [outcome((0.9, True), missed=1)], 0.5),
        ("a false box above the only hit", [outcome((0.9, False), (0.8, True))], 0.5),
        ("a false box below the only hit", [outcome((0.8, False), (0.9, True))], 1.0),
        ("hit, false, hit", [outcome((0.9, True), (0.8, False), (0.7, True))], 0.5 + 0.5 * 2 / 3),
        ("later precision fills an earlier dip", [outcome((0.9, False), (0.8, True), (0.7, True))], 2 / 3),
        ("nothing found", [outcome(missed=3)], 0.0),
        ("only false boxes", [outcome((0.9, False), missed=1)], 0.0),
    ],
)
def test_average_precision(title: str, photos: list[PhotoOutcome], expected: float) -> None:
    """The area under the all-points interpolated curve equals the value worked out by hand."""
    assert average_precision(precision_recall_curve(photos)) == pytest.approx(expected), title


def test_equal_scores_are_one_operating_point() -> None:
    """No threshold tells a hit and a false box of the same score apart, in whatever order they come."""
    tied = outcome((0.8, True), (0.8, False))
    curve = precision_recall_curve([tied])
    assert curve.thresholds.tolist() == [0.8]
    assert curve.precision.tolist() == [0.5]
    assert average_precision(curve) == pytest.approx(0.5)


def test_curve_lists_recall_precision_and_false_boxes_per_photo() -> None:
    """Each operating point carries its three figures; photos without anything count in the average."""
    curve = precision_recall_curve([outcome((0.9, True), (0.7, False), missed=1), outcome()])
    assert curve.thresholds.tolist() == [0.9, 0.7]
    assert curve.recall.tolist() == [0.5, 0.5]
    assert curve.precision.tolist() == [1.0, 0.5]
    assert curve.false_per_photo.tolist() == [0.0, 0.5]


def test_curve_of_nothing_is_empty() -> None:
    """No photos, or no labels, give an empty curve and an average precision of zero."""
    for photos in ([], [outcome((0.9, False))]):
        curve = precision_recall_curve(photos)
        assert len(curve.thresholds) == 0
        assert average_precision(curve) == 0


TEN_PHOTOS = [
    outcome((0.9, True), (0.5, False)),
    outcome((0.4, True), (0.3, False)),
    outcome((0.2, True), missed=1),
    *[outcome()] * 7,
]


@pytest.mark.parametrize(
    ("title", "false_per_photo", "floor", "recall"),
    [
        ("none allowed: only what beats the best false box", 0.0, 0.5, 0.25),
        ("one in ten photos: up to the second false box", 0.1, 0.3, 0.5),
        ("more allowed than there are: everything counts", 1.0, -math.inf, 0.75),
    ],
)
def test_recall_at_false_boxes_per_photo(
    title: str, false_per_photo: float, floor: float, recall: float
) -> None:
    """The floor lets through exactly the false boxes allowed, and recall counts labels found above it."""
    assert score_floor(TEN_PHOTOS, false_per_photo) == floor, title
    assert recall_at(TEN_PHOTOS, floor) == pytest.approx(recall), title


def test_hit_that_ties_with_the_first_false_box_too_many_does_not_count() -> None:
    """A hit that can only be had together with a false box over the limit is not counted: no flattering."""
    photos = [outcome((0.5, True), (0.5, False))]
    assert recall_at(photos, score_floor(photos, 0.0)) == 0


def test_allowance_is_not_lost_to_rounding() -> None:
    """0.1 false boxes over 30 photos are three, although 0.1 * 30 is not exactly 3 in binary."""
    photos = [outcome((0.9, False), (0.8, False), (0.7, False), (0.6, False)), *[outcome()] * 29]
    assert score_floor(photos, 0.1) == 0.6


def test_recall_without_labels_is_not_a_number() -> None:
    """There is no recall where nothing was to be found."""
    assert math.isnan(recall_at([outcome((0.9, False))], 0.0))
    assert math.isnan(recall_at([], 0.0))
