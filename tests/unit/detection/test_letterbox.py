"""Pixels into the network's frame, boxes back out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obscura.detection.letterbox import GREY, letterbox

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from obscura.detection.letterbox import Placing


def to_input(placing: Placing, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boxes ``[n, 4]`` in pixels of the picture as boxes in input pixels."""
    scale, pad = np.array([*placing.scale] * 2, np.float32), np.array([*placing.pad] * 2, np.float32)
    return np.asarray(boxes * scale + pad, np.float32)


@pytest.mark.parametrize(
    ("height", "width", "long_side", "shape"),
    [
        pytest.param(480, 640, 640, (480, 640), id="already on the grid"),
        pytest.param(1000, 1600, 640, (416, 640), id="16:10 is rectangular, not square"),
        pytest.param(1600, 1000, 640, (640, 416), id="upright"),
        pytest.param(1, 640, 640, (32, 640), id="a line"),
        pytest.param(3000, 4000, 1280, (960, 1280), id="12 megapixels"),
        pytest.param(100, 200, 640, (320, 640), id="enlarged"),
        pytest.param(700, 1000, 1000, (704, 1024), id="coarse grid above 640"),
    ],
)
def test_input_is_the_smallest_grid_rectangle(
    height: int, width: int, long_side: int, shape: tuple[int, int]
) -> None:
    """The input is no larger than the picture's shape on the grid asks for."""
    framed = letterbox(np.full((height, width, 3), 255, np.uint8), long_side)
    assert framed.pixels.shape == (*shape, 3)
    assert framed.pixels.dtype == np.uint8
    assert framed.pixels.max() == 255


def test_channels_stay_rgb_and_the_padding_is_grey() -> None:
    """Red stays in the first channel, and what is not picture has YOLO's grey."""
    red = np.zeros((20, 64, 3), np.uint8)
    red[..., 0] = 255
    framed = letterbox(red, 64)
    assert framed.placing.pad.top == 6
    assert framed.pixels[16, 32].tolist() == [255, 0, 0]
    assert framed.pixels[0, 0].tolist() == [GREY] * 3


def test_the_picture_is_not_changed() -> None:
    """The caller's array is as before."""
    pixels = np.random.default_rng(0).integers(0, 256, (301, 403, 3), np.uint8)
    before = pixels.copy()
    letterbox(pixels, 160)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(("height", "width"), [(1501, 2003), (999, 1999), (480, 640), (240, 320)])
def test_a_mark_lands_where_the_frame_says(height: int, width: int) -> None:
    """A white square is found in the input at its place times scale plus pad, also after halving."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left, side = height // 2, 2 * width // 3, height // 10
    pixels[top : top + side, left : left + side] = 255
    framed = letterbox(pixels, 320)
    # The padding is grey, 114: only the square is brighter than 128.
    rows, columns = np.nonzero(framed.pixels[..., 0] > 128)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    expected = to_input(framed.placing, np.array([[left, top, left + side, top + side]], np.float32))
    assert np.abs(seen - expected).max() <= 1.0


def test_thin_detail_survives_a_large_reduction() -> None:
    """Dark lines one pixel wide, six apart, become an even grey: nothing falls between the samples."""
    pixels = np.full((1600, 1600, 3), 255, np.uint8)
    pixels[:, ::6] = 0
    reduced = letterbox(pixels, 160).pixels
    assert reduced.min() > 180
    assert reduced.max() < 240


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    long_side=st.integers(32, 640),
    corners=st.tuples(*[st.floats(0, 700, width=32)] * 4),
)
def test_frames_are_inverse(
    height: int, width: int, long_side: int, corners: tuple[float, float, float, float]
) -> None:
    """A box taken to the input and back is the same box."""
    framed = letterbox(np.zeros((height, width, 3), np.uint8), long_side)
    box = np.array([corners], np.float32)
    there_and_back = framed.placing.to_image_frame(to_input(framed.placing, box))
    assert np.abs(there_and_back - box).max() < 0.01 * max(1.0, max(height, width) / long_side)
