"""Coverings drawn over the faces of training photos: near the face, repeatable, and never the label."""

from __future__ import annotations

import numpy as np
import pytest

from training.coverings import LEAST_HEIGHT_PX, CoveringChances, FaceCoverings

FACE = np.array([[200.0, 150.0, 280.0, 250.0]])
ALWAYS = CoveringChances(face=1.0)


def photo() -> np.ndarray:
    """Return noise, in which every change shows."""
    return np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)


@pytest.mark.parametrize("kind", ["mask", "veil", "glasses", "hand"])
def test_a_covering_hides_a_part_of_its_face_and_nothing_far_from_it(kind: str) -> None:
    """Whatever is drawn, a part of the face stays to be seen."""
    kinds = dict.fromkeys(("mask", "veil", "glasses", "hand"), 0.0) | {kind: 1.0}
    before = photo()
    for seed in range(5):
        changed = (FaceCoverings(CoveringChances(face=1.0, **kinds), seed).draw(before, FACE) != before).any(
            2
        )
        on_face = changed[150:250, 200:280].mean()
        assert 0.08 < on_face < 0.95, "something of the face is hidden and something left"
        rows, columns = np.nonzero(changed)
        assert rows.min() >= 50
        assert rows.max() <= 350
        assert columns.min() >= 120
        assert columns.max() <= 360


def test_the_photo_itself_and_specks_stay_as_they_are() -> None:
    """The trainer keeps its photos in memory: they must not change."""
    before = photo()
    kept = before.copy()
    FaceCoverings(ALWAYS).draw(before, FACE)
    np.testing.assert_array_equal(before, kept)
    speck = np.array([[10.0, 10.0, 20.0, 10.0 + LEAST_HEIGHT_PX - 1]])
    np.testing.assert_array_equal(FaceCoverings(ALWAYS).draw(before, speck), before)


def test_the_same_seed_covers_the_same() -> None:
    """A run can be repeated."""
    faces = np.concatenate([FACE, FACE + 150, FACE - 140])
    first, again = (FaceCoverings(ALWAYS, seed=7).draw(photo(), faces) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_face_at_the_border_is_no_error() -> None:
    """After a mosaic faces lie across the border and outside it."""
    boxes = [[-60.0, -50.0, 20.0, 40.0], [600.0, 430.0, 700.0, 560.0], [900.0, 900.0, 990.0, 990.0]]
    for seed in range(20):
        FaceCoverings(ALWAYS, seed).draw(photo(), np.array(boxes))
