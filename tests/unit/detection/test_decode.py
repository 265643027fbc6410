"""Reading the raw output of the network."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection.decode import MAX_CANDIDATES, decode


def test_centre_and_size_become_corners_best_first() -> None:
    """Boxes come as x1, y1, x2, y2 in input pixels, the best score first, weak ones left out."""
    output = np.array([[[10, 50, 70], [20, 60, 80], [4, 10, 2], [6, 20, 2], [0.5, 0.9, 0.1]]], np.float32)
    found = decode(output, 0.3)
    assert found.boxes.tolist() == [[45, 50, 55, 70], [8, 17, 12, 23]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])


def test_the_best_class_counts() -> None:
    """With several classes a box has the score of its best one."""
    output = np.array([[[10], [10], [2], [2], [0.2], [0.7]]], np.float32)
    assert decode(output, 0.5).scores.tolist() == pytest.approx([0.7])


def test_nothing_found_is_two_empty_arrays() -> None:
    """No box reaches the threshold: shapes stay those of boxes and scores."""
    found = decode(np.zeros((1, 5, 8400), np.float32), 0.25)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


@pytest.mark.parametrize("shape", [(2, 5, 10), (1, 4, 10), (5,), (1, 1, 5, 10)])
def test_another_networks_output_is_refused(shape: tuple[int, ...]) -> None:
    """An output that cannot be one picture's YOLOv8 head raises ValueError naming its shape."""
    with pytest.raises(ValueError, match="YOLOv8"):
        decode(np.zeros(shape, np.float32), 0.25)


def test_a_threshold_of_zero_is_capped_and_fast() -> None:
    """With every anchor above the threshold only the best ones come back, in well under a second."""
    output = np.random.default_rng(0).random((1, 5, 33600)).astype(np.float32)
    start = time.process_time()
    found = decode(output, 0.0)
    assert time.process_time() - start < 0.5
    assert len(found.scores) == MAX_CANDIDATES
    assert found.scores.min() >= np.sort(output[0, 4])[-MAX_CANDIDATES]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), threshold=st.floats(0.0, 1.0), limit=st.integers(1, 50))
def test_decoding_agrees_with_reading_anchor_by_anchor(seed: int, threshold: float, limit: int) -> None:
    """The fast path finds the scores that a plain loop over the anchors finds."""
    output = np.random.default_rng(seed).random((1, 5, 60)).astype(np.float32)
    expected = sorted((score for score in output[0, 4].tolist() if score >= threshold), reverse=True)[:limit]
    assert decode(output, threshold, limit).scores.tolist() == expected
