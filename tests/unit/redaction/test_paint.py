"""Painting: what is hidden, what is left alone, and how much can be told from what is painted."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data

from obscura.geometry import Box, Size
from obscura.redaction.masks import mask, window
from obscura.redaction.paint import CELL_NOISE, paint, paint_alpha
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


def no_entropy(length: int) -> bytes:
    """Return the bytes that move nothing: each pair is ``CELL_NOISE`` modulo its range."""
    return CELL_NOISE.to_bytes(2, "little") * (length // 2)


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
    painted = paint(noisy_picture(), [Region(box, Mosaic(5))], no_entropy)
    row = painted[0, : int(100 - cut)]
    assert len(np.unique(row, axis=0)) == -((cut - 100) // 20)


@pytest.mark.parametrize("style", [Mosaic(5), Solid(), Blur(0.2), PixelNoise(5)])
def test_a_small_object_becomes_one_colour(style: Style) -> None:
    """Under 16 pixels nothing but the mean colour is left, whatever the style."""
    picture = noisy_picture()
    painted = paint(picture, [Region(Box(20, 30, 35, 44), style)])[30:44, 20:35]
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) == 1
    assert np.abs(painted[0, 0] - picture[30:44, 20:35].mean(axis=(0, 1))).max() <= 0.5


def test_solid_is_the_mean_colour_of_what_it_covers() -> None:
    """A solid region has one colour, the mean."""
    painted = paint(PORTRAIT, [Region(FACE, Solid())])[65:195, 175:275]
    assert np.unique(painted.reshape(-1, 3), axis=0).tolist() == [
        np.rint(PORTRAIT[65:195, 175:275].mean(axis=(0, 1))).tolist()
    ]


def test_mosaic_cells_are_means_moved_by_fresh_noise() -> None:
    """Without noise a cell is the mean of its pixels; the noise stays in bounds and differs every time."""
    region = Region(Box(0, 0, 100, 100), Mosaic(5))
    picture = noisy_picture()
    plain = paint(picture, [region], no_entropy)
    assert plain[0, 0].tolist() == np.rint(picture[:20, :20].mean(axis=(0, 1))).tolist()
    first, second = paint(picture, [region]), paint(picture, [region])
    assert not np.array_equal(first, second)
    moved = np.abs(first.astype(int) - plain)
    assert 0 < moved.max() <= CELL_NOISE


@pytest.mark.parametrize("style", [Mosaic(5), Solid(), PixelNoise(5), Blur(0.15)])
def test_no_detail_of_a_face_is_left(style: Style) -> None:
    """What distinguishes neighbouring pixels of the face is gone: fine structure does not correlate."""

    def detail(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        grey = picture[65:195, 175:275].mean(axis=2)
        return np.asarray(grey[1:-1, 1:-1] - (grey[:-2, 1:-1] + grey[2:, 1:-1]) / 2).ravel()

    painted = paint(PORTRAIT, [Region(grown(FACE), style)])
    known, left = detail(PORTRAIT), detail(painted)
    share = abs(float(known @ left)) / float(known @ known)
    assert share < 0.05


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
