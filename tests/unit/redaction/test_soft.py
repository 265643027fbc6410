"""The styles that are filled from around: what they show, and how little of what they hide."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import color, data

from obscura.geometry import Box, Size
from obscura.redaction.areas import areas_of
from obscura.redaction.fill import interpolated
from obscura.redaction.masks import mask, window
from obscura.redaction.paint import paint, paint_alpha
from obscura.redaction.regions import Region, grown
from obscura.redaction.smooth import with_tones
from obscura.redaction.styles import Fill, Mosaic, RegionShape, Soft, Solid
from obscura.redaction.tones import SCALE, TONES, tone_of

PORTRAIT: NDArray[np.uint8] = np.asarray(data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
FACE = Box(175, 65, 275, 195)
SIZE = Size(160, 120)
BOXES = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.floats(-60, 180),
    st.floats(-60, 140),
    st.floats(0.5, 150),
    st.floats(0.5, 150),
)
SHAPES = st.sampled_from(RegionShape)
SMOOTH = st.builds(Region, BOXES, st.sampled_from([Soft(), Fill()]), SHAPES, st.sampled_from([0.0, 9.0]))


def face(box: Box = FACE, tone: int | None = None) -> Region:
    """Return a face as the policy hides it."""
    return Region(grown(box), Soft(), RegionShape.SUPERELLIPSE, tone=tone)


def picture_of(seed: int, dtype: type = np.uint8, channels: int = 3) -> NDArray[Any]:
    """Return a picture of noise."""
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, (120, 160, channels), dtype, endpoint=True)


def hidden_by(regions: list[Region]) -> NDArray[np.bool_]:
    """Return which pixels the regions hide."""
    covered = np.zeros((SIZE.height, SIZE.width), bool)
    for region in regions:
        inside = window(region.box, SIZE)
        if not inside.is_empty:
            covered[inside.slices] |= mask(region.box, region.shape, inside)
    return covered


@settings(max_examples=40, deadline=None)
@given(regions=st.lists(SMOOTH, min_size=1, max_size=4), seed=st.integers(0, 99))
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 3)])
def test_only_three_bits_of_what_is_hidden_are_used(
    dtype: type, channels: int, regions: list[Region], seed: int
) -> None:
    """Two pictures that differ under the regions alone are the same picture afterwards if the tones agree."""
    first = picture_of(7, dtype, channels)
    second = first.copy()
    hidden = hidden_by(regions)
    second[hidden] = picture_of(seed + 100, dtype, channels)[hidden]
    with_tone = list(with_tones(first, regions))
    assert np.array_equal(paint(first, with_tone), paint(second, with_tone))
    assert np.array_equal(paint(first, regions), paint(first, with_tone))


def test_whatever_is_hidden_there_are_eight_pictures() -> None:
    """A hundred faces under one outline give at most as many pictures as there are tones."""
    rng = np.random.default_rng(5)
    shown = set()
    for level in np.linspace(0, 255, 100):
        picture = PORTRAIT.copy()
        picture[40:220, 150:300] = np.clip(rng.normal(level, 60, (180, 150, 3)), 0, 255)
        # The surroundings are those of the portrait: only what the region hides differs.
        outside = ~_covered(face())
        picture[outside] = PORTRAIT[outside]
        shown.add(paint(picture, [face()]).tobytes())
    assert 2 < len(shown) <= TONES


def _covered(region: Region) -> NDArray[np.bool_]:
    covered = np.zeros(PORTRAIT.shape[:2], bool)
    inside = window(region.box, Size(512, 512))
    covered[inside.slices] = mask(region.box, region.shape, inside)
    return covered


def test_repeated_redactions_tell_nothing_more() -> None:
    """Equal requests give equal pictures, so there is nothing that could be averaged."""
    regions = [face(), Region(Box(20, 400, 120, 440), Fill(), RegionShape.ROUNDED)]
    assert len({paint(PORTRAIT, regions).tobytes() for _ in range(5)}) == 1


@settings(max_examples=40, deadline=None)
@given(regions=st.lists(SMOOTH, min_size=1, max_size=4))
def test_painting_again_changes_nothing(regions: list[Region]) -> None:
    """Given the tones, a finished picture proves itself: each hidden pixel follows from those outside."""
    picture = picture_of(3)
    with_tone = [replace(region, feather=0.0) for region in with_tones(picture, regions)]
    painted = paint(picture, with_tone)
    assert np.array_equal(paint(painted, with_tone), painted)
    assert np.array_equal(painted[~hidden_by(with_tone)], picture[~hidden_by(with_tone)])


def test_there_are_eight_tones_in_even_steps() -> None:
    """Three bits: each brightness has the nearest of eight tones."""
    assert len(SCALE) == TONES == 8
    assert np.ptp(np.diff(SCALE)) == 0
    assert [tone_of(level) for level in SCALE] == list(range(8))
    assert (tone_of(0), tone_of(255)) == (0, 7)


def test_a_face_keeps_its_colour_and_has_no_edges() -> None:
    """The middle of a face keeps its colour to 15 in CIELAB, and no two neighbours differ by more than 4."""
    before, after = (color.rgb2lab(part[90:170, 195:255]) for part in (PORTRAIT, paint(PORTRAIT, [face()])))
    moved = (after - before).mean(axis=(0, 1))
    assert np.hypot(*moved[1:]) <= 15
    assert abs(moved[0]) <= 10
    assert max(np.abs(np.diff(after[..., 0], axis=axis)).max() for axis in (0, 1)) <= 4


def test_the_rim_passes_into_the_picture() -> None:
    """Over a smooth slope a fill without a face cannot be told from the slope."""
    slope = np.repeat(np.linspace(40, 200, 160)[None, :, None], 120, axis=0).repeat(3, axis=2)
    picture = np.rint(slope).astype(np.uint8)
    region = Region(Box(50, 40, 110, 80), Fill(), RegionShape.ROUNDED)
    assert np.abs(paint(picture, [region]).astype(int) - picture).max() <= 6


def test_a_grey_photo_stays_grey() -> None:
    """A photo without colours gets none, in three channels or one, and the same brightness in both."""
    grey = PORTRAIT.mean(axis=2).astype(np.uint8)
    one, three = paint(grey[..., None], [face()]), paint(np.dstack([grey] * 3), [face()])
    assert np.array_equal(three, np.dstack([three[..., 0]] * 3))
    assert np.abs(one[..., 0].astype(int) - three[..., 0]).max() <= 1


def test_sixteen_bits_are_filled_in_sixteen_bits() -> None:
    """A deep picture gets more than 256 levels, and those of the shallow one."""
    deep = paint(PORTRAIT.astype(np.uint16) * 257, [face()])
    shallow = paint(PORTRAIT, [face()])
    assert np.abs(deep / 257 - shallow).max() <= 1
    assert len(np.unique(deep[_covered(face())])) > 1000


def test_faces_that_touch_are_one_area_without_a_seam() -> None:
    """Between two faces side by side there is no edge."""
    two = [face(Box(150, 80, 230, 180)), face(Box(232, 80, 312, 180))]
    (area,) = areas_of(two)
    assert area.regions == tuple(two)
    across = paint(PORTRAIT, two)[130, 160:300].astype(int)
    assert np.abs(np.diff(across, axis=0)).max() <= 6


def test_regions_apart_are_areas_of_their_own() -> None:
    """Whoever touches nobody is filled alone, and a chain of touches is one area."""
    boxes = [Box(0, 0, 10, 10), Box(100, 0, 110, 10), Box(9, 0, 20, 10), Box(19, 5, 30, 15)]
    areas = areas_of([Region(box, Fill()) for box in boxes])
    assert [len(area.regions) for area in areas] == [3, 1]


@pytest.mark.parametrize("box", [Box(-50, 300, 60, 460), Box(460, -60, 600, 90), Box(-20, -20, 600, 600)])
def test_faces_at_the_edge_and_over_everything(box: Box) -> None:
    """A cut face is filled from the side that is left; where nothing is left, its tone lies on grey."""
    painted = paint(PORTRAIT, [face(box)])
    assert painted.shape == PORTRAIT.shape
    inside = window(box.grow(0.5), Size(512, 512))
    steps = (
        np.abs(np.diff(painted[inside.slices].astype(int), axis=0)) if not inside.is_empty else np.zeros(1)
    )
    assert steps.max() <= 8


@pytest.mark.parametrize("side", [1, 2, 5, 9, 14])
def test_very_small_faces_are_hidden(side: int) -> None:
    """A face of a few pixels is filled as well, and nothing of it is left."""
    picture = np.full((60, 60, 3), 180, np.uint8)
    other = picture.copy()
    region = Region(grown(Box(30, 30, 30 + side, 30 + side)), Soft(), RegionShape.SUPERELLIPSE, tone=4)
    other[30 : 30 + side, 30 : 30 + side] = (255, 0, 255)
    assert np.array_equal(paint(picture, [region]), paint(other, [region]))


def test_a_stronger_style_has_the_last_word() -> None:
    """Over a fill one colour shows; over a mosaic the fill does."""
    box = Box(20, 20, 90, 90)
    picture, fill = picture_of(1), Region(box, Fill(), RegionShape.BOX)
    assert np.unique(paint(picture, [fill, Region(box, Solid((9, 9, 9)))])[20:90, 20:90]).tolist() == [9]
    assert np.array_equal(
        paint(picture, [fill, Region(box, Mosaic())])[20:90, 20:90], paint(picture, [fill])[20:90, 20:90]
    )


@pytest.mark.parametrize("shape", RegionShape)
def test_one_colour_in_any_outline(shape: RegionShape) -> None:
    """The colour that was asked for fills the outline; in a grey picture its brightness does."""
    region = Region(Box(30, 20, 90, 100), Solid((255, 128, 0)), shape)
    hidden = hidden_by([region])
    assert (paint(picture_of(2), [region])[hidden] == (255, 128, 0)).all()
    assert (paint(picture_of(2, channels=1), [region])[hidden] == 151).all()


def test_a_mosaic_has_no_hue_of_its_own() -> None:
    """Noise moves brightness alone: over grey a mosaic is grey."""
    grey = np.repeat(picture_of(4, channels=1), 3, axis=2)
    assert np.ptp(paint(grey, [Region(Box(10, 10, 100, 100), Mosaic())]), axis=2).max() == 0


def test_alpha_tells_nothing_of_what_a_fill_hides() -> None:
    """A fill is as opaque as the picture outside is at most, whatever its own alpha was."""
    region = [Region(Box(10, 10, 30, 30), Soft())]
    alpha = np.zeros((40, 60), np.uint8)
    alpha[30:, :] = 200
    other = alpha.copy()
    other[12:20, 12:20] = 255
    assert np.array_equal(paint_alpha(alpha, region), paint_alpha(other, region))
    assert (paint_alpha(alpha, region)[10:30, 10:30] == 200).all()


def test_cells_that_are_not_seen_lie_between_those_that_are() -> None:
    """What is interpolated stays within what it is interpolated from, and what is seen stays as it is."""
    means = np.random.default_rng(1).uniform(20, 220, (37, 53, 2)).astype(np.float32)
    seen = np.ones((37, 53), np.float32)
    seen[8:30, 10:45] = 0
    means[seen == 0] = np.nan
    found = interpolated(means, seen)
    np.testing.assert_allclose(found[seen == 1], means[seen == 1], rtol=1e-5)
    assert np.isfinite(found).all()
    assert 19.9 <= found.min() <= found.max() <= 220.1
