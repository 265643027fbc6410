"""Decoys and panes in training photos: beside what is labelled, or over it; repeatable; never the label."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from training.decoys import DECOYS, DecoyChances, Decoys
from training.glass import GlassChances, WindowGlass

OBJECTS = np.array([[200.0, 150.0, 280.0, 250.0], [400.0, 30.0, 450.0, 60.0]])
KINDS = (
    DecoyChances(photo=1.0, flag=1.0),
    DecoyChances(photo=1.0, badge=1.0),
    DecoyChances(photo=1.0, board=1.0),
    DecoyChances(photo=1.0, letters=1.0),
)


def photo() -> np.ndarray:
    """Return noise, in which every change shows."""
    return np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)


@pytest.mark.parametrize("chances", KINDS, ids=["flag", "badge", "board", "letters"])
def test_a_decoy_is_drawn_and_touches_nothing_labelled(chances: DecoyChances) -> None:
    """A labelled object stays to be seen whole: otherwise the label would be wrong."""
    before, drawn = photo(), 0
    for seed in range(20):
        changed = (Decoys(chances, seed).draw(before, OBJECTS) != before).any(2)
        drawn += bool(changed.any())
        assert not changed[150:250, 200:280].any()
        assert not changed[30:60, 400:450].any()
    assert drawn == 20


def test_plates_have_no_boards_among_their_decoys() -> None:
    """A board with letters is what a plate looks like: to call it none would unteach plates."""
    assert DECOYS["plate"].board == 0
    assert DECOYS["face"].board > 0


def test_where_there_is_no_room_nothing_is_drawn() -> None:
    """An object that fills the photo leaves no place beside it."""
    before = photo()
    everywhere = np.array([[-400.0, -400.0, 1100.0, 900.0]])
    chances = replace(DECOYS["face"], photo=1.0)
    np.testing.assert_array_equal(Decoys(chances).draw(before, everywhere), before)


def test_a_pane_changes_the_face_and_leaves_it_to_be_seen() -> None:
    """What lies behind glass is paler and veiled, and still there: the pixels of before shine through."""
    before = photo()
    for seed in range(10):
        after = WindowGlass(GlassChances(face=1.0), seed).draw(before, OBJECTS[:1])
        face = np.s_[150:250, 200:280]
        assert (after[face] != before[face]).mean() > 0.9
        alike = np.corrcoef(after[face].ravel(), before[face].ravel())[0, 1]
        assert alike > 0.5, "noise hidden by anything but a veil would correlate with nothing"


@pytest.mark.parametrize("seed", range(3))
def test_the_photo_itself_stays_and_a_seed_repeats(seed: int) -> None:
    """The trainer keeps its photos in memory: they must not change; and a run can be repeated."""
    before = photo()
    kept = before.copy()
    always = replace(DECOYS["plate"], photo=1.0)
    for kind in (partial(Decoys, always), partial(WindowGlass, GlassChances(face=1.0))):
        first, again = (kind(seed).draw(before, OBJECTS) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert (first != before).any()
        np.testing.assert_array_equal(before, kept)


def test_objects_at_the_border_are_no_error() -> None:
    """After a mosaic objects lie across the border and outside it."""
    boxes = np.array([[-60.0, -50.0, 20.0, 40.0], [600.0, 430.0, 700.0, 560.0], [900.0, 900.0, 990.0, 990.0]])
    for seed in range(20):
        Decoys(replace(DECOYS["face"], photo=1.0), seed).draw(photo(), boxes)
        WindowGlass(GlassChances(face=1.0), seed).draw(photo(), boxes)
