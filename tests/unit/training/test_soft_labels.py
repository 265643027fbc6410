"""Soft labels: labels are sure, what several looks see is surer than what one sees, one box for each face."""

import numpy as np
import pytest

from training.soft_labels import HARD_WEIGHT, LABELLED, soft_labels, together, weight_of

FACE, OTHER = np.array([[100.0, 100.0, 120.0, 125.0]]), np.array([[300.0, 50.0, 330.0, 90.0]])
NOTHING = (np.zeros((0, 4)), np.zeros(0))


def found(box: np.ndarray, score: float) -> tuple[np.ndarray, np.ndarray]:
    """Return one box with its score."""
    return box, np.array([score])


def test_looks_are_averaged_but_for_small_faces_that_an_enlarged_look_sees() -> None:
    """Seen once of twice is less than seen twice; a small face counts as the surest look says."""
    _, (twice,) = together([found(FACE, 0.8), found(FACE, 0.8), NOTHING])
    _, (once,) = together([found(FACE, 0.8), NOTHING, NOTHING])
    _, (enlarged,) = together([NOTHING, NOTHING, found(FACE, 0.8)])
    large = FACE * 4
    _, (far,) = together([NOTHING, NOTHING, found(large, 0.8)])
    assert twice == pytest.approx(0.8)
    assert far < once < twice
    assert enlarged == pytest.approx(0.8)


def test_a_box_without_area_ends() -> None:
    """It overlaps nothing, not even itself."""
    boxes, _ = together([found(np.array([[5.0, 5.0, 5.0, 9.0]]), 0.5), NOTHING, NOTHING])
    assert len(boxes) == 1


def test_a_label_is_sure_and_has_the_box_of_a_sure_teacher() -> None:
    """Of label, teacher and own network one box is left; a label that nobody sees stays as it is."""
    tight = FACE + np.array([1.0, 1.0, -1.0, -1.0])
    boxes, sureness = soft_labels(np.concatenate([FACE, OTHER]), found(tight, 0.9), found(FACE, 0.5))
    assert sureness == pytest.approx([LABELLED, LABELLED])
    assert sorted(boxes.tolist()) == sorted(np.concatenate([tight, OTHER]).tolist())


def test_what_only_the_teacher_sees_is_less_sure() -> None:
    """Its score is mapped to ours; what it hardly sees is background."""
    _, (sure,) = soft_labels(NOTHING[0], found(FACE, 0.8), NOTHING)
    assert 0.3 < sure < 0.8
    assert len(soft_labels(NOTHING[0], found(FACE, 0.1), NOTHING)[0]) == 0


def test_photos_with_a_face_that_our_network_misses_are_hard() -> None:
    """Whether it sees a sure face decides."""
    sure = found(FACE, LABELLED)
    assert weight_of(sure, NOTHING) == HARD_WEIGHT
    assert weight_of(sure, found(FACE, 0.7)) == 1.0
    assert weight_of(found(FACE, 0.2), NOTHING) == 1.0
