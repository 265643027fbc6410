"""The policy: who is hidden how, and what cannot be weakened."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from obscura.errors import InvalidOptionError, WeakerThanPolicyError
from obscura.geometry import Box, Size
from obscura.redaction.masks import mask, window
from obscura.redaction.policy import PolicyFloor, RedactionPolicy, regions_for
from obscura.redaction.styles import (
    DEFAULT_CELLS,
    Blur,
    Fill,
    Mosaic,
    PixelNoise,
    RegionShape,
    Soft,
    Solid,
    colour_of,
    describe,
)


class Found(NamedTuple):
    """A class and a box, as detections have them."""

    class_name: str
    box: Box


BOX = Box(100, 100, 140, 180)


def test_defaults_are_the_promised_ones() -> None:
    """Faces get the soft style; plates and unknown things are filled from around; plates grow by 1.1 only."""
    face, plate, other = regions_for(
        [Found("face", BOX), Found("plate", BOX), Found("screen", BOX)], RedactionPolicy()
    )
    assert (face.style, plate.style, other.style) == (Soft(), Fill(), Fill())
    assert (face.shape, plate.shape) == (RegionShape.SUPERELLIPSE, RegionShape.ROUNDED)
    assert face.box == Box(94, 88, 146, 192)
    assert plate.box == Box(98, 96, 142, 184)


@pytest.mark.parametrize("class_name", ["face", "plate"])
@pytest.mark.parametrize("grow", [None, 1.0, 1.05, 1.1, 1.2, 1.3, 1.7])
def test_the_box_that_was_found_is_hidden_to_its_corners(class_name: str, grow: float | None) -> None:
    """However round the outline, no pixel of the found box is left open, whatever the growth."""
    (region,) = regions_for([Found(class_name, BOX)], RedactionPolicy(grow=grow))
    inside = window(region.box, Size(400, 400))
    covered = mask(region.box, region.shape, inside)
    hidden = np.zeros((400, 400), bool)
    hidden[inside.slices] = covered
    assert hidden[100:180, 100:140].all()


def test_small_boxes_grow_by_whole_pixels() -> None:
    """The box of a far plate is uncertain by pixels, not by a tenth of its size."""
    (region,) = regions_for([Found("plate", Box(50, 50, 64, 56))], RedactionPolicy())
    assert region.box == Box(48, 48, 66, 58)


def test_an_ellipse_is_for_faces_only() -> None:
    """What must be solid is covered to the corners."""
    for style in (Soft(), Mosaic(), Solid(), Solid((1, 2, 3)), Blur(), PixelNoise()):
        policy = replace(RedactionPolicy().with_style(style), shape=RegionShape.ELLIPSE)
        face, plate = regions_for([Found("face", BOX), Found("plate", BOX)], policy)
        assert face.shape is RegionShape.ELLIPSE
        assert plate.shape in {RegionShape.BOX, RegionShape.ROUNDED}


def test_a_box_is_a_box() -> None:
    """Who asks for boxes gets them, in the styles that would round them as well."""
    face, plate = regions_for(
        [Found("face", BOX), Found("plate", BOX)], RedactionPolicy(shape=RegionShape.BOX)
    )
    assert (face.shape, plate.shape) == (RegionShape.BOX, RegionShape.BOX)


def test_a_small_object_is_one_colour() -> None:
    """A face under 16 pixels is solid where its style would draw it; the soft style stays what it is."""
    small = [Found("face", Box(0, 0, 12, 15.9))]
    for style in (Mosaic(), PixelNoise(), Blur()):
        assert regions_for(small, RedactionPolicy().with_style(style))[0].style == Solid()
    assert regions_for(small, RedactionPolicy())[0].style == Soft()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: RedactionPolicy().with_style(Mosaic(6)),
        lambda: RedactionPolicy().with_style(PixelNoise(20)),
        lambda: RedactionPolicy().with_style(Blur(0.05)),
        lambda: RedactionPolicy(styles={"plate": Mosaic(2)}),
        lambda: RedactionPolicy(styles={"plate": Blur(0.5)}),
        lambda: RedactionPolicy(grow=1.05, floor=PolicyFloor(min_grow=1.1)),
        lambda: RedactionPolicy(floor=PolicyFloor(allows_blur=False)).with_style(Blur()),
        lambda: RedactionPolicy(floor=PolicyFloor(max_cells=DEFAULT_CELLS - 1)).with_style(Mosaic()),
        lambda: RedactionPolicy(styles={"plate": Soft()}),
    ],
)
def test_weaker_than_the_floor_is_refused(ask: Callable[[], RedactionPolicy]) -> None:
    """No request gets finer cells, less blur, smaller boxes or softer plates than the server allows."""
    with pytest.raises(WeakerThanPolicyError):
        ask()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Mosaic(0),
        lambda: Solid((0, 256, 0)),
        lambda: PixelNoise(-1),
        lambda: Blur(0.0),
        lambda: Blur(float("nan")),
        lambda: RedactionPolicy(grow=0.9),
        lambda: RedactionPolicy(grow=float("nan")),
        lambda: regions_for([Found("face", Box(0, 0, float("inf"), 5))], RedactionPolicy()),
    ],
)
def test_what_makes_no_sense_is_invalid(ask: Callable[[], object]) -> None:
    """Values outside their range are told apart from values that are only too weak."""
    with pytest.raises(InvalidOptionError):
        ask()


def test_a_style_asked_for_leaves_plates_untold() -> None:
    """One style for a whole request is for what may have it; one colour everything may have but masks."""
    policy = RedactionPolicy().with_style(Blur(0.2))
    assert policy.style_of("face") == Blur(0.2)
    assert policy.style_of("plate") == Fill()
    red = RedactionPolicy().with_style(Solid((255, 0, 0)))
    assert red.style_of("face") == red.style_of("plate") == Solid((255, 0, 0))
    assert red.style_of("mask") == Solid()


@pytest.mark.parametrize("text", ["red", "#12345", "#1234567", "#12345g", "123456", ""])
def test_a_colour_is_written_in_one_way(text: str) -> None:
    """What is no #rrggbb is refused."""
    assert colour_of("#Ff8000") == (255, 128, 0)
    with pytest.raises(InvalidOptionError):
        colour_of(text)


def test_an_operator_may_allow_other_styles_for_plates() -> None:
    """The floor is the operator's: without solid classes a plate can have what it is given."""
    policy = RedactionPolicy(floor=PolicyFloor(solid_classes=frozenset())).with_style(Mosaic(3))
    assert policy.style_of("plate") == Mosaic(3)


def test_blur_is_called_cosmetic() -> None:
    """Whoever reads a report learns that blur does not hide."""
    assert "cosmetic" in describe(Blur())
    assert describe(Solid((255, 0, 16))) == "solid #ff0010"
    assert describe(Mosaic(4)) == "mosaic of at most 4 cells"
