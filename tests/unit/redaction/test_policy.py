"""The policy: who is hidden how, and what cannot be weakened."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from obscura.errors import InvalidOptionError, WeakerThanPolicyError
from obscura.geometry import Box
from obscura.redaction.policy import PolicyFloor, RedactionPolicy, regions_for
from obscura.redaction.styles import DEFAULT_CELLS, Blur, Mosaic, PixelNoise, RegionShape, Solid, describe


class Found(NamedTuple):
    """A class and a box, as detections have them."""

    class_name: str
    box: Box


BOX = Box(100, 100, 140, 180)


def test_defaults_are_the_promised_ones() -> None:
    """Faces get a mosaic of five cells at most, plates and unknown things one colour, boxes grow by 1.3."""
    face, plate, other = regions_for(
        [Found("face", BOX), Found("plate", BOX), Found("screen", BOX)], RedactionPolicy()
    )
    assert (face.style, plate.style, other.style) == (Mosaic(DEFAULT_CELLS), Solid(), Solid())
    assert DEFAULT_CELLS <= 5
    assert face.box == Box(94, 88, 146, 192)


def test_an_ellipse_is_for_faces_only() -> None:
    """What must be solid is covered to the corners."""
    policy = RedactionPolicy(shape=RegionShape.ELLIPSE)
    face, plate = regions_for([Found("face", BOX), Found("plate", BOX)], policy)
    assert (face.shape, plate.shape) == (RegionShape.ELLIPSE, RegionShape.BOX)


def test_a_small_object_is_one_colour() -> None:
    """A face under 16 pixels is solid."""
    (region,) = regions_for([Found("face", Box(0, 0, 12, 15.9))], RedactionPolicy())
    assert region.style == Solid()


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
        lambda: RedactionPolicy(floor=PolicyFloor(max_cells=DEFAULT_CELLS - 1)),
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


def test_a_style_asked_for_leaves_plates_solid() -> None:
    """One style for a whole request is for what may have it."""
    policy = RedactionPolicy().with_style(Blur(0.2))
    assert policy.style_of("face") == Blur(0.2)
    assert policy.style_of("plate") == Solid()


def test_an_operator_may_allow_other_styles_for_plates() -> None:
    """The floor is the operator's: without solid classes a plate can have what it is given."""
    policy = RedactionPolicy(floor=PolicyFloor(solid_classes=frozenset())).with_style(Mosaic(3))
    assert policy.style_of("plate") == Mosaic(3)


def test_blur_is_called_cosmetic() -> None:
    """Whoever reads a report learns that blur does not hide."""
    assert "cosmetic" in describe(Blur())
    assert describe(Mosaic(4)) == "mosaic of at most 4 cells"
