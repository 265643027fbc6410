"""How much of the labelled area is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from obscura.evaluation import covered_share, grown

LABEL = np.array([[0.0, 0.0, 10.0, 10.0]])


@pytest.mark.parametrize(
    ("title", "boxes", "expected"),
    [
        ("no box", [], 0.0),
        ("a box that contains it", [(-5, -5, 20, 20)], 1.0),
        ("the left half", [(-5, -5, 5, 20)], 0.5),
        ("two halves", [(0, 0, 5, 10), (5, 0, 10, 10)], 1.0),
        ("overlapping boxes count once", [(0, 0, 6, 10), (4, 0, 8, 10)], 0.8),
        ("the same box twice", [(0, 0, 5, 10), (0, 0, 5, 10)], 0.5),
        ("a cross", [(4, 0, 6, 10), (0, 4, 10, 6)], 0.36),
        ("a box that only touches the edge", [(10, 0, 20, 10)], 0.0),
        ("an inverted box hides nothing", [(8, 8, 2, 2)], 0.0),
    ],
)
def test_covered_share(title: str, boxes: list[tuple[float, ...]], expected: float) -> None:
    """The share is that of the union of the boxes, exactly."""
    assert covered_share(LABEL, np.array(boxes, dtype=np.float64).reshape(-1, 4))[0] == pytest.approx(
        expected
    ), title


def test_each_label_has_its_own_share() -> None:
    """Shares come in the order of the labels."""
    labels = np.array([[0.0, 0, 10, 10], [100, 0, 110, 10]])
    assert covered_share(labels, np.array([[100.0, 0, 110, 5]])).tolist() == [0.0, 0.5]


def test_label_without_area_is_covered_by_a_box_around_it() -> None:
    """A degenerate label does not divide by zero."""
    point = np.array([[5.0, 5, 5, 5]])
    assert covered_share(point, np.array([[0.0, 0, 10, 10]])).tolist() == [1.0]
    assert covered_share(point, np.zeros((0, 4))).tolist() == [0.0]


def test_grown_box_keeps_its_centre() -> None:
    """Growing scales both sides about the centre and leaves the argument alone."""
    boxes = np.array([[10.0, 20, 30, 60]])
    assert grown(boxes, 1.5).tolist() == [[5.0, 10.0, 35.0, 70.0]]
    assert boxes.tolist() == [[10.0, 20.0, 30.0, 60.0]]
