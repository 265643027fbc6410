"""Boxes fitted to all that was found of an object."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection.nms import overlaps
from obscura.detection.voting import vote


def noisy(truth: list[float], count: int, seed: int) -> np.ndarray:
    """Return boxes that are off by some pixels, as a network's are."""
    offsets = np.random.default_rng(seed).normal(0.0, 3.0, (count, 4))
    return (np.array(truth) + offsets).astype(np.float32)


def test_the_mean_of_many_fits_better_than_the_best_of_them() -> None:
    """Over many objects, the fitted box overlaps the truth more than the box it replaces."""
    truth = [100.0, 100.0, 160.0, 120.0]
    gains = []
    for seed in range(50):
        found = noisy(truth, 8, seed)
        fitted = vote(found[:1], found, np.ones(len(found), np.float32))
        before, after = overlaps(np.array([truth], np.float32), np.concatenate([found[:1], fitted]))[0]
        gains.append(after - before)
    assert np.mean(gains) > 0.05


def test_a_neighbour_has_no_vote() -> None:
    """The box of another object does not pull."""
    found = np.array([[0, 0, 20, 20], [30, 0, 50, 20], [15, 0, 35, 20]], np.float32)
    np.testing.assert_allclose(vote(found, found, np.ones(3, np.float32)), found, atol=1e-4)


def test_heavier_boxes_pull_more() -> None:
    """A box of three times the weight moves the result to its side."""
    found = np.array([[0, 0, 100, 100], [4, 0, 104, 100]], np.float32)
    fitted = vote(found[:1], found, np.array([1.0, 3.0], np.float32))
    assert fitted[0, 0] > 2.0


@settings(max_examples=50, deadline=None)
@given(shift=st.floats(-2000, 2000, width=32), turns=st.integers(-2, 2))
def test_a_panorama_has_no_seam(shift: float, turns: int) -> None:
    """Whole turns between boxes of one object change nothing."""
    period = 1000.0
    found = np.array([[0, 0, 100, 100], [4, 0, 104, 100]], np.float32)
    found[:, [0, 2]] += shift
    turned = found.copy()
    turned[1, [0, 2]] += turns * period
    weights = np.ones(2, np.float32)
    plain, seamless = vote(found[:1], found, weights), vote(turned[:1], turned, weights, period)
    np.testing.assert_allclose(seamless, plain, atol=0.02)
