"""Sheets of windows: what is labelled in a photo is labelled where it lies in its windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from obscura.detection.rescoring import MAX_ENLARGEMENT as PRODUCT_MAX_ENLARGEMENT
from obscura.detection.rescoring import RESCORING
from training.windows import MAX_ENLARGEMENT, SHEET, SIDE, TARGET_SIDES, Window, WindowMaker, sheet


def blind(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """See nothing anywhere, as a network."""
    return np.zeros((len(images), 5, 8), np.float32)


def white_in(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return the corners of what is bright."""
    rows, columns = np.nonzero(pixels[..., 0] > 127)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@given(st.integers(0, 560), st.integers(0, 400), st.integers(6, 75), st.integers(0, 2**16))
def test_a_label_lies_on_its_object(left: int, top: int, side: int, seed: int) -> None:
    """Whatever the object's size and place, its box in the window is around its pixels there."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[top : top + side, left : left + side] = 255
    labels = np.array([[left, top, left + side, top + side]], np.float64)
    (window,) = WindowMaker(blind, seed).windows(pixels, labels)
    assert window.pixels.shape == (SIDE, SIDE, 3)
    (box,) = window.boxes
    # Grey beyond the photo's edge is not bright; enlarging four times blurs an edge over some pixels.
    assert np.abs(np.array(white_in(window.pixels)) - box).max() <= 4


def test_windows_are_those_of_the_product() -> None:
    """What is trained for is what will be looked at: windows as large, objects as large in them."""
    crops = [crop for rescoring in RESCORING.values() for crop in rescoring.crops]
    assert (max(crop.window for crop in crops), PRODUCT_MAX_ENLARGEMENT) == (SIDE, MAX_ENLARGEMENT)
    sides = [crop.side for crop in crops]
    assert TARGET_SIDES[0] <= min(sides) <= max(sides) <= TARGET_SIDES[1]


def test_a_photo_without_anything_gives_no_window() -> None:
    """Neither a label nor a doubt: nothing to look at closer."""
    assert list(WindowMaker(blind).windows(np.zeros((50, 60, 3), np.uint8), np.zeros((0, 4)))) == []


def test_nine_windows_make_a_sheet() -> None:
    """Each window keeps its pixels and its boxes, apart from the others."""
    box = np.array([[10.0, 20.0, 40.0, 50.0]])
    windows = [Window(np.full((SIDE, SIDE, 3), 10 * number, np.uint8), box) for number in range(9)]
    made = sheet(windows)
    assert made.pixels.shape == (SHEET, SHEET, 3)
    assert made.boxes.shape == (9, 4)
    for number, (left, top, right, bottom) in enumerate(made.boxes.astype(int).tolist()):
        assert (made.pixels[top:bottom, left:right] == 10 * number).all()
    assert made.boxes[8] == pytest.approx(box[0] + 2 * SIDE + 3 * (SHEET - 3 * SIDE) / 4)
