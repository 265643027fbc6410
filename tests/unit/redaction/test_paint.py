"""Painting: what is hidden, what is left alone, and how much can be told from what is painted."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data

from obscura.geometry import Box, Size
from obscura.redaction.masks import mask, window
from obscura.redaction.mosaic import CELL_NOISE, KEPT_CONTRAST, REGION_NOISE
from obscura.redaction.paint import paint, paint_alpha
from obscura.redaction.regions import Region, grown
from obscura.redaction.styles import Blur, Mosaic, PixelNoise, RegionShape, Solid, Style

PORTRAIT: NDArray[np.uint8] = np.asarray(data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
FACE = Box(175, 65, 275, 195)

STYLES = st.one_of(
    st.integers(1, 5).map(Mosaic),
    st.just(Solid()),
    st.floats(0.05, 1.0).map(Blur),
    st.integers(1, 5).map(PixelNoise),
)
BOXES = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.floats(-60, 180),
    st.floats(-60, 140),
    st.floats(0.5, 150),
    st.floats(0.5, 150),
)
REGIONS = st.lists(st.builds(Region, BOXES, STYLES, st.sampled_from(RegionShape)), max_size=5)


def noisy_picture(height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    """Return a picture without any flat part."""
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def covered_by(regions: list[Region], size: Size) -> NDArray[np.bool_]:
    """Return which pixels the regions cover."""
    covered = np.zeros((size.height, size.width), bool)
    for region in regions:
        inside = window(region.box, size)
        if not inside.is_empty:
            covered[inside.slices] |= mask(region.box, region.shape, inside)
    return covered


_NOTHING = 1592
"""``CELL_NOISE`` modulo its range, and ``REGION_NOISE`` modulo its own."""


def no_entropy(length: int) -> bytes:
    """Return the bytes that move nothing."""
    return _NOTHING.to_bytes(2, "little") * (length // 2)


@settings(max_examples=60, deadline=None)
@given(regions=REGIONS)
def test_only_the_regions_change_and_the_input_never_does(regions: list[Region]) -> None:
    """Every pixel outside all regions is bit-identical, and the picture handed in is left as it was."""
    picture = noisy_picture()
    before = picture.copy()
    painted = paint(picture, regions)
    outside = ~covered_by(regions, Size(160, 120))
    assert np.array_equal(picture, before)
    assert painted is not picture
    assert np.array_equal(painted[outside], before[outside])


@settings(max_examples=60, deadline=None)
@given(box=BOXES, cells=st.integers(1, 8))
def test_a_mosaic_has_no_more_cells_than_asked_for(box: Box, cells: int) -> None:
    """At most ``cells`` by ``cells`` colours are left of a region, wherever it lies."""
    picture = noisy_picture()
    inside = window(box, Size(160, 120))
    painted = paint(picture, [Region(box, Mosaic(cells))])
    if not inside.is_empty:
        assert len(np.unique(painted[inside.slices].reshape(-1, 3), axis=0)) <= cells**2


@pytest.mark.parametrize("cut", [0.0, 40.0, 80.0])
def test_half_an_object_gets_no_finer_cells(cut: float) -> None:
    """Cells are measured by the whole box: the visible part of a face at the edge has its share of them."""
    box = Box(-cut, 0, 100 - cut, 100)
    slope = np.repeat(np.arange(0, 240, 1.5).astype(np.uint8)[None, :, None], 120, axis=0).repeat(3, axis=2)
    painted = paint(slope, [Region(box, Mosaic(5))], no_entropy)
    row = painted[0, : int(100 - cut)]
    assert len(np.unique(row, axis=0)) == -((cut - 100) // 20)


@pytest.mark.parametrize("style", [Mosaic(5), Solid(), Blur(0.2), PixelNoise(5)])
def test_a_small_object_becomes_one_colour(style: Style) -> None:
    """Under 16 pixels nothing but one colour is left, whatever the style."""
    painted = paint(noisy_picture(), [Region(Box(20, 30, 35, 44), style)])[30:44, 20:35]
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) == 1


def test_solid_is_the_mean_colour_of_what_is_around() -> None:
    """A solid region has one colour, the mean of the pixels beside it that are not hidden."""
    picture = np.full((120, 160, 3), (30, 60, 90), np.uint8)
    picture[40:80, 50:110] = noisy_picture()[40:80, 50:110]
    regions = [Region(Box(50, 40, 110, 80), Solid()), Region(Box(110, 40, 130, 80), Mosaic())]
    painted = paint(picture, regions)[40:80, 50:110]
    assert np.unique(painted.reshape(-1, 3), axis=0).tolist() == [[30, 60, 90]]


@settings(max_examples=30, deadline=None)
@given(box=BOXES, shape=st.sampled_from(RegionShape), seed=st.integers(0, 99))
def test_one_colour_tells_nothing_of_what_it_hides(box: Box, shape: RegionShape, seed: int) -> None:
    """Two pictures that differ under the regions alone are the same picture afterwards, bit by bit."""
    regions = [Region(box, Solid(), shape, feather=9.0), Region(Box(60, 50, 70, 62), Mosaic())]
    first = noisy_picture()
    second = first.copy()
    hidden = covered_by(regions, Size(160, 120))
    second[hidden] = np.random.default_rng(seed).integers(0, 256, (int(hidden.sum()), 3))
    assert np.array_equal(paint(first, regions), paint(second, regions))


def test_one_colour_over_all_there_is() -> None:
    """A region that leaves nothing to be seen becomes mid-grey."""
    painted = paint(noisy_picture(), [Region(Box(-5, -5, 200, 200), Solid())])
    assert np.unique(painted).tolist() == [128]


def test_mosaic_cells_are_toned_down_means_moved_by_fresh_noise() -> None:
    """Without noise a cell is its mean drawn to the region's; noise is bounded and differs every time."""
    region = Region(Box(0, 0, 100, 100), Mosaic(5))
    picture = noisy_picture()
    picture[:20, :20] //= 4
    plain = paint(picture, [region], no_entropy)
    cell, whole = picture[:20, :20].mean(axis=(0, 1)), picture[:100, :100].mean(axis=(0, 1))
    assert plain[0, 0].tolist() == np.rint(whole + KEPT_CONTRAST * (cell - whole)).tolist()
    first, second = paint(picture, [region]), paint(picture, [region])
    assert not np.array_equal(first, second)
    moved = np.abs(first.astype(int) - plain)
    assert 0 < moved.max() <= CELL_NOISE + REGION_NOISE


@pytest.mark.parametrize("width", [70.0, 80.0, 90.0, 100.0])
def test_cells_do_not_tell_the_proportions_of_a_box(width: float) -> None:
    """Boxes of several proportions have the same cells, only wider ones."""
    # The same noise each time: with fresh noise, one time in a hundred two neighbours get one colour.
    entropy = np.random.default_rng(1).bytes
    painted = paint(noisy_picture(), [Region(Box(0, 0, width, 100), Mosaic(3))], entropy)
    row = painted[0, : int(width)].astype(int)
    edges = np.flatnonzero(np.abs(np.diff(row, axis=0)).sum(axis=1)) + 1
    assert np.abs(edges - width * np.array([1, 2]) / 3).max() <= 1


@settings(max_examples=40, deadline=None)
@given(regions=REGIONS, feather=st.floats(1.0, 40.0))
def test_a_soft_edge_hides_no_less(regions: list[Region], feather: float) -> None:
    """Inside, the paint is the same as without a soft edge; outside it reaches no further than it says."""
    soft = [replace(region, feather=feather) for region in regions]
    picture, size = noisy_picture(), Size(160, 120)
    hard, softened = paint(picture, regions, no_entropy), paint(picture, soft, no_entropy)
    covered = covered_by(regions, size)
    assert np.array_equal(hard[covered], softened[covered])
    wide = [
        replace(
            region,
            box=region.box.outward().grow(1.0 + 2 * feather / min(region.box.width, region.box.height)),
        )
        for region in regions
    ]
    outside = ~covered_by([replace(region, shape=RegionShape.BOX) for region in wide], size)
    assert np.array_equal(softened[outside], picture[outside])


@pytest.mark.parametrize("shape", RegionShape)
def test_a_soft_edge_is_a_slope(shape: RegionShape) -> None:
    """From the outline outwards the paint gives way to the picture, step by step."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[:, 75:85] = 255
    region = Region(Box(60, 40, 100, 80), Blur(1.0), shape, feather=20.0)
    column = paint(picture, [region])[:, 60].astype(int) if shape is RegionShape.BOX else None
    row = paint(picture, [region])[60, :, 0].astype(int)
    assert row[39] == 0
    assert (np.diff(row[40:61]) >= 0).all()
    assert row[60] > row[50] > 0
    assert column is None or column.max() > 0


@pytest.mark.parametrize("style", [Mosaic(3), Solid(), Blur(0.2), PixelNoise(3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_stay_sixteen_bits(style: Style, channels: int) -> None:
    """Samples of 16 bits outside the regions are untouched, those inside are hidden like those of 8 bits."""
    picture = np.random.default_rng(3).integers(0, 65_536, (120, 160, channels), dtype=np.uint16)
    painted = paint(picture, [Region(Box(40, 30, 100, 90), style)])
    outside = np.ones(picture.shape[:2], bool)
    outside[30:90, 40:100] = False
    assert painted.dtype == np.uint16
    assert np.array_equal(painted[outside], picture[outside])
    assert (painted[30:90, 40:100] == picture[30:90, 40:100]).mean() < 0.01
    assert 0.2 < painted[30:90, 40:100].mean() / 65_535 < 0.8


@pytest.mark.parametrize("style", [Mosaic(5), Solid(), PixelNoise(5), Blur(0.15)])
def test_no_detail_of_a_face_is_left(style: Style) -> None:
    """What distinguishes neighbouring pixels of the face is gone: fine structure does not correlate."""

    def detail(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        grey = picture[65:195, 175:275].mean(axis=2)
        return np.asarray(grey[1:-1, 1:-1] - (grey[:-2, 1:-1] + grey[2:, 1:-1]) / 2).ravel()

    painted = paint(PORTRAIT, [Region(grown(FACE), style)])
    known, left = detail(PORTRAIT), detail(painted)
    # Noise is louder than any face, and what it has in common with one by chance grows with it.
    loudest = max(np.linalg.norm(known), np.linalg.norm(left))
    assert abs(known @ left) / (np.linalg.norm(known) * loudest) < 0.05


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_overlapping_regions_hide_their_union_in_any_order(order: tuple[int, ...]) -> None:
    """No order of overlapping regions brings a pixel back, and the strongest style has the last word."""
    regions = [
        Region(Box(20, 20, 100, 100), Mosaic(2)),
        Region(Box(60, 40, 150, 90), Blur(0.2)),
        Region(Box(50, 30, 90, 70), Solid(), RegionShape.ELLIPSE),
    ]
    picture = noisy_picture()
    painted = paint(picture, [regions[index] for index in order], no_entropy)
    assert np.array_equal(painted, paint(picture, regions, no_entropy))
    union = covered_by(regions, Size(160, 120))
    # In pure noise a hidden pixel equals its old value by chance alone.
    assert (painted[union] == picture[union]).all(axis=1).mean() < 0.01


def test_an_ellipse_covers_the_middle_and_leaves_the_corners() -> None:
    """An ellipse reaches all four edges of its box and none of its corners."""
    inside = window(Box(10, 10, 90, 60), Size(160, 120))
    covered = mask(Box(10, 10, 90, 60), RegionShape.ELLIPSE, inside)
    assert covered[25, 0]
    assert covered[25, -1]
    assert covered[0, 40]
    assert covered[-1, 40]
    assert not covered[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert covered.mean() == pytest.approx(np.pi / 4, abs=0.05)


def test_an_ellipse_at_the_edge_is_a_part_of_the_whole_one() -> None:
    """Cutting a picture does not move the ellipse."""
    box, shape = Box(-40, 10, 40, 60), RegionShape.ELLIPSE
    cut = mask(box, shape, window(box, Size(160, 120)))
    whole = mask(box.shift(40, 0), shape, window(box.shift(40, 0), Size(160, 120)))
    assert np.array_equal(cut, whole[:, 40:])


def test_the_outline_of_a_cut_out_object_goes() -> None:
    """Under a region alpha has one value, the largest that was there; outside it is as it was."""
    alpha = np.zeros((40, 60), np.uint8)
    alpha[10:20, 10:30] = 200
    painted = paint_alpha(alpha, [Region(Box(5, 5, 35, 25), Solid()), Region(Box(40, 30, 50, 38), Solid())])
    assert np.unique(painted[5:25, 5:35]).tolist() == [200]
    assert np.unique(painted[30:38, 40:50]).tolist() == [0]
    assert painted.sum() == 20 * 30 * 200


def test_a_wide_blur_takes_no_longer_than_a_narrow_one() -> None:
    """A blur over a whole 12-megapixel picture is a matter of a second, not of minutes."""
    picture = np.zeros((3000, 4000, 3), np.uint8)
    start = time.process_time()
    paint(picture, [Region(Box(0, 0, 4000, 3000), Blur(0.5))])
    assert time.process_time() - start < 5.0


def test_nothing_to_paint_is_a_copy() -> None:
    """Without regions, or with regions outside the picture, the pixels are those that came."""
    outside = Region(Box(600, 600, 700, 700), Solid())
    assert np.array_equal(paint(PORTRAIT, [outside]), PORTRAIT)
    assert paint(PORTRAIT, []) is not PORTRAIT
