"""One box per object."""

from __future__ import annotations

import time
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection import nms
from obscura.detection.nms import overlaps, suppress, suppress_nested
from obscura.geometry import Box


def naive(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> list[int]:
    """Do it as the definition says, box by box."""
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda item: (-scores[item], item)):
        box = Box(*boxes[index].tolist())
        if all(box.iou(Box(*boxes[other].tolist())) <= max_overlap for other in kept):
            kept.append(index)
    return kept


CORNER = st.integers(0, 40)
SIDE = st.integers(1, 30)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CORNER, CORNER, SIDE, SIDE, st.integers(0, 5)), max_size=25),
    # Not a fraction that whole-pixel boxes can have: rounding must not decide.
    max_overlap=st.sampled_from([0.123457, 0.456789, 0.712345]),
)
def test_agrees_with_the_definition(rows: list[tuple[int, int, int, int, int]], max_overlap: float) -> None:
    """The vectorised suppression keeps what the definition keeps, ties included, in the same order."""
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([row[4] / 5 for row in rows], np.float32)
    expected = naive(boxes, scores, max_overlap)
    assert suppress(boxes, scores, max_overlap).tolist() == expected
    with mock.patch.object(nms, "AT_ONCE", 4):
        assert suppress(boxes, scores, max_overlap).tolist() == expected


def test_equal_scores_keep_their_order() -> None:
    """Of equal boxes with equal scores the first stays."""
    boxes = np.array([[0, 0, 10, 10]] * 3, np.float32)
    assert suppress(boxes, np.full(3, 0.5, np.float32), 0.5).tolist() == [0]


def test_twenty_thousand_boxes_take_no_time() -> None:
    """A flood of boxes on a crowd of 400 faces is reduced in a second or two."""
    rng = np.random.default_rng(0)
    faces = rng.uniform(0, 4000, (400, 2))
    corners = faces[rng.integers(0, 400, 20_000)] + rng.normal(0, 2, (20_000, 2))
    boxes = np.concatenate([corners, corners + 40], axis=1).astype(np.float32)
    start = time.process_time()
    kept = suppress(boxes, rng.random(20_000).astype(np.float32), 0.5)
    assert time.process_time() - start < 2.0
    assert 300 <= len(kept) <= 600


def test_a_panorama_is_round() -> None:
    """Boxes one circumference apart are the same; without a period they are strangers."""
    first = np.array([[990, 0, 1010, 20]], np.float32)
    second = np.array([[-10, 0, 10, 20]], np.float32)
    assert overlaps(first, second, 1000.0)[0, 0] == pytest.approx(1.0)
    assert overlaps(first, second)[0, 0] == 0.0


@pytest.mark.parametrize(
    ("boxes", "kept"),
    [
        pytest.param([(0, 0, 100, 120), (20, 30, 70, 80)], [0], id="a nose in its face"),
        pytest.param([(0, 0, 100, 120), (10, -25, 95, 75)], [0], id="the same face from another tile"),
        pytest.param(
            [(20, 30, 70, 80), (0, 0, 100, 120)], [0, 1], id="a better small box stays, and what is around"
        ),
        pytest.param([(0, 0, 100, 120), (0, 0, 20, 20)], [0, 1], id="a corner that an ellipse leaves open"),
        pytest.param([(0, 0, 100, 120), (70, 0, 170, 120)], [0, 1], id="neighbours in a crowd"),
        pytest.param(
            [(0, 0, 100, 120), (80, 90, 110, 125)], [0, 1], id="a small face in front of a large one"
        ),
    ],
)
def test_an_object_has_one_box(boxes: list[tuple[int, ...]], kept: list[int]) -> None:
    """Best first: a second box on an object goes, and nothing that would be seen beside the first."""
    scores = np.linspace(0.9, 0.5, len(boxes)).astype(np.float32)
    assert suppress_nested(np.array(boxes, np.float32), scores).tolist() == kept


def test_one_object_across_the_seam_has_one_box() -> None:
    """Half a turn is nothing: the part and the whole lie on either side of a panorama's edge."""
    boxes = np.array([[950, 0, 1050, 120], [-20, 30, 20, 80]], np.float32)
    scores = np.array([0.9, 0.5], np.float32)
    assert suppress_nested(boxes, scores, 1000.0).tolist() == [0]
    assert suppress_nested(boxes, scores).tolist() == [0, 1]


def test_a_flood_of_boxes_is_no_flood_of_memory() -> None:
    """What is more than can be compared stays, last."""
    boxes = np.tile(np.array([[0, 0, 10, 10]], np.float32), (20_000, 1))
    kept = suppress_nested(boxes, np.linspace(1, 0, 20_000, dtype=np.float32))
    assert kept[0] == 0
    assert len(kept) == 1 + 20_000 - nms.MAX_NESTED
