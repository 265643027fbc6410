"""Masks that were drawn: everything drawn is covered, and nothing beyond the cells that it touches."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from obscura.errors import (
    MaskDoesNotFitError,
    TooManyPixelsError,
    UndecodablePhotoError,
    UnsupportedFormatError,
)
from obscura.geometry import Box, Size
from obscura.imaging.validation import ValidationLimits
from obscura.redaction.privacy_masks import CELL, MAX_AREAS, PrivacyMask, areas_of

SIDES = st.integers(1, 90)


def counted(boxes: tuple[Box, ...], size: Size) -> NDArray[np.int_]:
    """Return how many boxes cover each pixel."""
    counts = np.zeros((size.height, size.width), int)
    for x1, y1, x2, y2 in (box.rounded() for box in boxes):
        counts[y1:y2, x1:x2] += 1
    return counts


def touched(drawn: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Return which pixels of a photo a mask touches, pixel by pixel of the mask."""
    height, width = drawn.shape
    result = np.zeros((size.height, size.width), bool)
    for row, column in np.argwhere(drawn).tolist():
        top, bottom = row * size.height // height, -(-(row + 1) * size.height // height)
        left, right = column * size.width // width, -(-(column + 1) * size.width // width)
        result[top:bottom, left:right] = True
    return result


def cells_of(pixels: NDArray[np.bool_], cell: int) -> NDArray[np.bool_]:
    """Return the pixels of all cells that have one of ``pixels``."""
    result = np.zeros_like(pixels)
    for row, column in np.argwhere(pixels).tolist():
        top, left = row // cell * cell, column // cell * cell
        result[top : top + cell, left : left + cell] = True
    return result


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(SIDES, SIDES),
    st.tuples(SIDES, SIDES),
    st.sampled_from([0.0, 0.002, 0.02, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_exactly_the_touched_cells_are_covered(
    shape: tuple[int, int], size: tuple[int, int], share: float, seed: int
) -> None:
    """Once each, whatever the sizes of mask and photo: nothing drawn is left out, no other cell is hidden."""
    drawn = np.random.default_rng(seed).random(shape) < share
    photo = Size(*size)
    wanted = cells_of(touched(drawn, photo), CELL)
    assert np.array_equal(counted(areas_of(drawn, photo), photo), wanted.astype(int))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_few_boxes_are_enough(most: int, seed: int) -> None:
    """However scattered the drawing is, there are no more than asked for, and it is covered all the same."""
    drawn = np.random.default_rng(seed).random((24, 30)) < 0.2
    photo = Size(300, 240)
    boxes = areas_of(drawn, photo, most=most)
    assert len(boxes) <= most
    assert not (touched(drawn, photo) & (counted(boxes, photo) == 0)).any()


def test_a_plain_drawing_needs_few_boxes() -> None:
    """A rectangle is one box, a picture without anything none; a large chessboard stays within bounds."""
    drawn = np.zeros((300, 400), bool)
    assert areas_of(drawn, Size(4000, 3000)) == ()
    drawn[200:, 100:300] = True
    assert areas_of(drawn, Size(4000, 3000)) == (Box(992, 2000, 3008, 3000),)
    board = np.indices((188, 250)).sum(axis=0) % 2 == 0
    assert len(areas_of(board, Size(4000, 3008))) <= MAX_AREAS


def picture(mode: str, black: object, white: object, **options: object) -> bytes:
    """Return a PNG of 40 x 20 pixels, white on the right half."""
    image = Image.new(mode, (40, 20), black)  # type: ignore[arg-type]
    image.paste(white, (20, 0, 40, 20))  # type: ignore[arg-type]
    if mode == "P":
        image.putpalette([0, 0, 0, 200, 30, 30])
    sink = BytesIO()
    image.save(sink, "PNG", **options)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        picture("1", 0, 1),
        picture("L", 0, 255),
        picture("L", 0, 1),
        picture("RGB", (0, 0, 0), (0, 0, 9)),
        picture("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)),
        picture("LA", (255, 0), (200, 255)),
        picture("P", 0, 1),
        picture("I;16", 0, 3),
    ],
    ids=["1", "L", "faint", "RGB", "RGBA", "LA", "P", "16 bits"],
)
def test_every_kind_of_picture_is_a_mask(data: bytes) -> None:
    """What is not black and not transparent hides."""
    assert PrivacyMask.read(data).areas(Size(400, 200)) == (Box(192, 0, 400, 200),)


def test_what_is_no_mask_is_refused() -> None:
    """With the gate's codes and a message that speaks of the mask."""
    whole = picture("L", 0, 255)
    for data, limits, kind in (
        (b"no picture", None, UnsupportedFormatError),
        (whole[:45] + bytes(8) + whole[53:], None, UndecodablePhotoError),
        (picture("L", 0, 255), ValidationLimits(max_pixels=100), TooManyPixelsError),
    ):
        with pytest.raises(kind, match=r"^mask: "):
            PrivacyMask.read(data, limits)


def test_another_aspect_ratio_is_refused() -> None:
    """One in a hundred is rounding; more is another picture, and so is one that lies on its side."""
    mask = PrivacyMask.read(picture("L", 0, 255))
    assert mask.areas(Size(402, 200))
    for size in (Size(410, 200), Size(200, 400)):
        with pytest.raises(MaskDoesNotFitError):
            mask.areas(size)
