"""Which detection found which label."""

from __future__ import annotations

import numpy as np
import pytest

from obscura.evaluation import Photo, match, pairwise_iou


def boxes(*corners: tuple[float, float, float, float]) -> np.ndarray:
    """Return corner tuples as an ``[n, 4]`` array, also for none."""
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


LEFT, RIGHT = (0, 0, 10, 10), (100, 0, 110, 10)


@pytest.mark.parametrize(
    ("title", "second", "expected"),
    [
        ("the same box", (0, 0, 10, 10), 1.0),
        ("half of it", (0, 0, 10, 5), 0.5),
        ("shifted by half its width", (5, 0, 15, 10), 1 / 3),
        ("touching edges share nothing", (10, 0, 20, 10), 0.0),
        ("far away", (50, 50, 60, 60), 0.0),
        ("without area", (5, 5, 5, 5), 0.0),
    ],
)
def test_iou_of_known_boxes(title: str, second: tuple[float, float, float, float], expected: float) -> None:
    """IoU equals shared area over united area, and is never NaN."""
    assert pairwise_iou(boxes(LEFT), boxes(second))[0, 0] == pytest.approx(expected), title


def test_two_boxes_without_area_do_not_overlap() -> None:
    """0 / 0 is no overlap rather than NaN or a warning."""
    assert pairwise_iou(boxes((5, 5, 5, 5)), boxes((5, 5, 5, 5)))[0, 0] == 0


def test_detection_on_a_label_is_a_hit_and_one_beside_is_false() -> None:
    """A box on a label is a hit with its score kept by the label; one on nothing is false."""
    outcome = match(Photo(boxes(LEFT), boxes(LEFT, RIGHT), np.array([0.6, 0.9])))
    assert outcome.scores.tolist() == [0.9, 0.6]
    assert outcome.hits.tolist() == [False, True]
    assert outcome.label_scores.tolist() == [0.6]


def test_second_box_on_the_same_label_is_false() -> None:
    """Only the best-scored box finds a label; a duplicate counts as false."""
    outcome = match(Photo(boxes(LEFT), boxes(LEFT, (0, 0, 10, 9)), np.array([0.5, 0.7])))
    assert outcome.hits.tolist() == [True, False]
    assert outcome.label_scores.tolist() == [0.7]


def test_missed_label_has_score_minus_infinity() -> None:
    """A label that no box reaches is missed at every threshold."""
    assert match(Photo(boxes(LEFT), boxes(), np.zeros(0))).label_scores.tolist() == [-np.inf]


def test_overlap_exactly_at_the_limit_counts() -> None:
    """IoU 0.5 is enough at a limit of 0.5 and not at 0.51."""
    photo = Photo(boxes(LEFT), boxes((0, 0, 10, 5)), np.array([0.9]))
    assert match(photo, 0.5).hits.tolist() == [True]
    assert match(photo, 0.51).hits.tolist() == [False]


def test_detection_takes_the_label_it_overlaps_most() -> None:
    """Of two labels in reach the better overlapped one is taken, whatever their order."""
    near, exact = (0, 0, 10, 8), (0, 0, 10, 10)
    for labels in (boxes(near, exact), boxes(exact, near)):
        outcome = match(Photo(labels, boxes(exact), np.array([0.9])))
        taken = labels[~np.isneginf(outcome.label_scores)]
        assert taken.tolist() == [list(exact)]


def test_detection_falls_back_to_a_free_label() -> None:
    """When its best label is taken by a better score, a detection may find its second best."""
    labels = boxes((0, 0, 10, 10), (0, 2, 10, 12))
    outcome = match(Photo(labels, boxes((0, 0, 10, 10), (0, 0.5, 10, 10.5)), np.array([0.9, 0.8])))
    assert outcome.hits.tolist() == [True, True]


def test_detection_in_an_ignored_region_is_left_out() -> None:
    """A box mostly inside an ignored region is neither right nor wrong, however large the region."""
    crowd = boxes((90, 0, 200, 100))
    outcome = match(Photo(boxes(LEFT), boxes(LEFT, RIGHT), np.array([0.6, 0.9]), crowd))
    assert outcome.scores.tolist() == [0.6]
    assert outcome.hits.tolist() == [True]


def test_box_touching_an_ignored_region_by_a_corner_is_still_false() -> None:
    """Less than half inside is not excused."""
    photo = Photo(boxes(), boxes((0, 0, 10, 10)), np.array([0.9]), boxes((6, 0, 100, 10)))
    assert match(photo).hits.tolist() == [False]


def test_label_inside_an_ignored_region_still_counts() -> None:
    """A real label wins over an ignored region around it."""
    outcome = match(Photo(boxes(LEFT), boxes(LEFT), np.array([0.9]), boxes((0, 0, 50, 50))))
    assert outcome.hits.tolist() == [True]


@pytest.mark.parametrize(
    ("labels", "found", "scores"),
    [
        (np.zeros(4), boxes(LEFT), np.ones(1)),
        (boxes(LEFT), np.zeros((1, 5)), np.ones(1)),
        (boxes(LEFT), boxes(LEFT), np.ones(2)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    labels: np.ndarray, found: np.ndarray, scores: np.ndarray
) -> None:
    """Wrong shapes raise instead of giving a wrong figure."""
    with pytest.raises(ValueError, match="shape"):
        Photo(labels, found, scores)
