"""A detector's report over several photos."""

from __future__ import annotations

import math

import numpy as np
import pytest

from obscura.evaluation import FACE_BINS, PLATE_BINS, Photo, evaluate


def square(left: float, side: float) -> tuple[float, float, float, float]:
    """Return a square box of a side at a distance from the left, top edge of the photo."""
    return (left, 0.0, left + side, side)


def photo(labels: list[tuple[float, ...]], detections: list[tuple[tuple[float, ...], float]]) -> Photo:
    """Return a photo from label boxes and (box, score) pairs."""
    return Photo(
        np.array(labels, dtype=np.float64).reshape(-1, 4),
        np.array([box for box, _ in detections], dtype=np.float64).reshape(-1, 4),
        np.array([score for _, score in detections], dtype=np.float64),
    )


def test_faces_are_binned_by_height_and_plates_by_width() -> None:
    """A label on a limit belongs to the larger bin, and each class measures its own side."""
    labels = np.array([[0, 0, 200, 15.9], [0, 0, 1, 16], [0, 0, 1, 32], [0, 0, 1, 96.5]])
    assert FACE_BINS.names() == ("<16", "16-32", "32-96", ">=96")
    assert FACE_BINS.assign(labels).tolist() == [0, 1, 2, 3]
    assert PLATE_BINS.names() == ("<32", "32-64", "64-128", ">=128")
    assert PLATE_BINS.assign(labels).tolist() == [3, 0, 0, 0]


def test_report_of_a_small_set() -> None:
    """Every figure of a set small enough to work out by hand is right."""
    small, large = square(0, 10), square(100, 100)
    photos = [
        photo([small, large], [(large, 0.9), (small, 0.3), (square(300, 50), 0.5)]),
        *[photo([], [])] * 8,
        photo([small], [(square(300, 50), 0.4)]),
    ]
    report = evaluate(photos, FACE_BINS, growth=1.0)
    assert (report.photos, report.labels) == (10, 3)
    assert report.average_precision == pytest.approx(1 / 3 + 1 / 3 * 0.5)
    assert (report.floor_few_false, report.floor_more_false) == (0.4, -math.inf)
    assert report.recall_few_false == pytest.approx(1 / 3)
    assert report.recall_more_false == pytest.approx(2 / 3)
    assert report.covered == pytest.approx(10000 / 10200)
    by_name = {result.name: result for result in report.bins}
    assert (by_name["<16"].labels, by_name["<16"].recall_few_false, by_name["<16"].recall_more_false) == (
        2,
        0.0,
        0.5,
    )
    assert (by_name[">=96"].labels, by_name[">=96"].recall_few_false) == (1, 1.0)
    assert by_name["16-32"].labels == 0
    assert math.isnan(by_name["16-32"].recall_few_false)


def test_loose_boxes_fail_at_a_stricter_overlap() -> None:
    """The overlap asked for is the one applied."""
    loose = [photo([square(0, 100)], [((0.0, 0.0, 100.0, 180.0), 0.9)])]
    assert evaluate(loose, FACE_BINS, min_iou=0.5).average_precision == 1
    assert evaluate(loose, FACE_BINS, min_iou=0.6).average_precision == 0


def test_growing_boxes_hides_more() -> None:
    """Covered area follows the growth that redaction applies."""
    photos = [photo([square(10, 10)], [((10.0, 0.0, 18.0, 8.0), 0.9)])]
    assert evaluate(photos, FACE_BINS, growth=1.0).covered == pytest.approx(0.64)
    assert evaluate(photos, FACE_BINS, growth=1.5).covered == pytest.approx(1.0)


def test_report_of_no_photos() -> None:
    """No photos give no labels and no recall, not an error."""
    report = evaluate([], FACE_BINS)
    assert (report.photos, report.labels, report.average_precision) == (0, 0, 0.0)
    assert math.isnan(report.recall_few_false)
    assert math.isnan(report.covered)
