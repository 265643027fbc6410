"""JPEGs filled from around: what changes, how little of the hidden is used, and how it looks."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from obscura.geometry import Box, Size
from obscura.jpeg import native
from obscura.jpeg.codec import Codec
from obscura.jpeg.dct import cell_means, coefficients
from obscura.jpeg.header import HeaderOptions
from obscura.jpeg.native import NativeCodec
from obscura.jpeg.portable import PortableCodec
from obscura.jpeg.splice import SplicedPhoto, splice, splice_with
from obscura.redaction.masks import mask, window
from obscura.redaction.paint import paint
from obscura.redaction.regions import Region
from obscura.redaction.styles import Fill, Mosaic, RegionShape, Soft, Solid
from tests.unit.jpeg.samples import HEIGHT, KINDS, WIDTH, decoded, made, mcu_size, picture

FACE = Region(Box(20.0, 15.0, 85.0, 80.0), Soft(), RegionShape.SUPERELLIPSE)
PLATE = Region(Box(90.0, 60.0, 112.0, 72.0), Fill(), RegionShape.ROUNDED)
REGIONS = [FACE, PLATE]
BOXES = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.floats(-40, 130),
    st.floats(-40, 110),
    st.floats(0.5, 100),
    st.floats(0.5, 100),
)
SMOOTH = st.builds(Region, BOXES, st.sampled_from([Soft(), Fill()]), st.sampled_from(RegionShape))


def hidden_blocks(
    regions: list[Region], rows: int, columns: int, side: tuple[float, float]
) -> NDArray[np.bool_]:
    """Return which blocks of ``side`` pixels down and across any region touches, by painting pixels."""
    height, width = round(rows * side[0]), round(columns * side[1])
    hidden = np.zeros((height, width), bool)
    for region in regions:
        inside = window(region.box, Size(width, height))
        if not inside.is_empty:
            hidden[inside.slices] |= mask(region.box, region.shape, inside)
    down, across = round(side[0]), round(side[1])
    return np.asarray(hidden.reshape(rows, down, columns, across).any(axis=(1, 3)), np.bool_)


def with_tones(regions: list[Region], done: SplicedPhoto) -> list[Region]:
    """Return the regions with the tones that a splice chose."""
    return [replace(region, tone=done.painted.tones.get(number)) for number, region in enumerate(regions)]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_hidden_blocks_change(kind: str) -> None:
    """Every block that no outline touches keeps all its coefficients, as a second library reads them."""
    source = made(kind)
    done = splice(source, REGIONS)
    before, after = decoded(source), decoded(done.data)
    mcu, sampling = mcu_size(before.sampling), before.sampling if len(before.planes) > 1 else [(1, 1)]
    touched = 0
    for old, new, (v, h) in zip(before.planes, after.planes, sampling, strict=True):
        rows, columns = old.shape[:2]
        hidden = hidden_blocks(REGIONS, rows, columns, (mcu[0] / v, mcu[1] / h))
        np.testing.assert_array_equal(new[~hidden], old[~hidden])
        touched += int(hidden.sum())
    assert done.blocks_touched == touched
    assert set(done.painted.tones) == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_file_proves_itself(kind: str) -> None:
    """Given the tones, splicing it again changes nothing: hidden blocks follow from those outside."""
    done = splice(made(kind), REGIONS)
    again = splice(done.data, with_tones(REGIONS, done))
    before, after = decoded(done.data), decoded(again.data)
    for one, other in zip(before.planes, after.planes, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(KINDS)), regions=st.lists(SMOOTH, min_size=1, max_size=4))
def test_both_coders_write_the_same_file(kind: str, regions: list[Region]) -> None:
    """The coder in Python writes the bytes that the compiled one writes, with other styles beside."""
    if native.problem() is not None:
        pytest.skip(f"native coder: {native.problem()}")
    mixed = [*regions, Region(Box(60, 60, 90, 85), Solid((10, 200, 30))), Region(Box(2, 2, 30, 20), Mosaic())]
    first, second = (
        splice_with(coder, made(kind), mixed, HeaderOptions(), entropy=bytes)
        for coder in (NativeCodec(), PortableCodec())
    )
    assert first == second


def encoded(pixels: NDArray[np.uint8], **settings: Any) -> bytes:
    """Encode pixels with Pillow."""
    sink = BytesIO()
    Image.fromarray(pixels).save(sink, "JPEG", **settings)
    return sink.getvalue()


@settings(max_examples=30, deadline=None)
@given(
    regions=st.lists(SMOOTH, min_size=1, max_size=3),
    seed=st.integers(0, 99),
    quality=st.sampled_from([30, 75, 95]),
    subsampling=st.integers(0, 2),
)
def test_photos_that_differ_under_the_regions_alone_give_the_same_bytes(
    regions: list[Region], seed: int, quality: int, subsampling: int
) -> None:
    """Whatever pixels lie under the outlines when a photo is encoded: with equal tones, equal files."""
    first = picture().copy()
    second = first.copy()
    for region in regions:
        inside = window(region.box, Size(WIDTH, HEIGHT))
        if not inside.is_empty:
            covered = mask(region.box, region.shape, inside)
            other = np.random.default_rng(seed).integers(0, 256, (*covered.shape, 3), np.uint8)
            second[inside.slices][covered] = other[covered]
    with_tone = [replace(region, tone=3) for region in regions]
    one, two = (
        splice(encoded(item, quality=quality, subsampling=subsampling), with_tone).data
        for item in (first, second)
    )
    assert one == two


def test_there_are_eight_files_at_most() -> None:
    """A face of any brightness and pattern leaves one of eight files."""
    rng, found = np.random.default_rng(4), set[bytes]()
    inside = window(FACE.box, Size(WIDTH, HEIGHT))
    covered = mask(FACE.box, FACE.shape, inside)
    for level in np.linspace(0, 255, 60):
        photo = picture().copy()
        noise = np.clip(rng.normal(level, 50, (*covered.shape, 3)), 0, 255).astype(np.uint8)
        photo[inside.slices][covered] = noise[covered]
        found.add(splice(encoded(photo), [FACE]).data)
    assert 2 < len(found) <= 8


@pytest.mark.parametrize(
    "kind", ["pillow 4:4:4", "pillow 4:2:0", "pillow progressive", "pillow RGB", "cv2 411"]
)
def test_it_looks_like_painted_pixels(kind: str) -> None:
    """A spliced face is, but for compression and whole blocks, the one that painting pixels gives."""
    done = splice(made(kind), REGIONS)
    shown = np.asarray(Image.open(BytesIO(done.data)).convert("RGB"), np.int16)
    before = np.asarray(Image.open(BytesIO(made(kind))).convert("RGB"))
    painted = paint(before, with_tones(REGIONS, done)).astype(np.int16)
    middle = np.s_[32:64, 36:70]
    assert np.abs(shown[middle] - painted[middle]).mean() < 6
    assert np.abs(np.diff(shown[middle].mean(axis=2), axis=0)).max() <= 4


def test_a_grey_photo_stays_grey() -> None:
    """A photo in grey that is stored in colour gets no colour."""
    grey = np.repeat(picture().mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    shown = np.asarray(Image.open(BytesIO(splice(encoded(grey, quality=95), [FACE]).data)).convert("RGB"))
    assert np.ptp(shown.astype(int), axis=2).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_chin_is_below(orientation: int) -> None:
    """However a photo is stored, a face's shading falls off towards the lower edge of the upright photo."""
    flat = np.full((160, 160, 3), 150, np.uint8)
    region = Region(Box(40, 40, 120, 120), Soft(), RegionShape.SUPERELLIPSE)
    stored = splice(encoded(flat, quality=98, subsampling=0), [region], orientation=orientation).data
    with Image.open(BytesIO(stored)) as image:
        turn = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_270,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90,
        }.get(orientation)
        upright = np.asarray(image if turn is None else image.transpose(turn)).astype(int)
    assert upright[60, 80].mean() > upright[100, 80].mean() + 4
    assert abs(upright[80, 60].mean() - upright[80, 100].mean()) <= 2


@pytest.mark.parametrize("kind", ["pillow 4:2:0", "pillow CMYK", "pillow RGB", "pillow grey"])
def test_one_colour_is_the_colour_asked_for(kind: str, codec: Codec) -> None:
    """A colour is that colour in every kind of file, its brightness in a grey one."""
    region = Region(Box(32.0, 32.0, 64.0, 64.0), Solid((200, 120, 40)))
    shown = Image.open(BytesIO(splice_with(codec, made(kind), [region], HeaderOptions()).data)).convert("RGB")
    expected = (200, 120, 40) if kind != "pillow grey" else (135, 135, 135)
    assert np.abs(np.asarray(shown)[40:56, 40:56].astype(int) - expected).max() <= 6


@pytest.mark.parametrize("across", [1, 2, 4, 8])
def test_coefficients_and_cells_fit(across: int) -> None:
    """The means of cells that are read from coefficients are those of the samples they were made of."""
    samples = np.random.default_rng(2).uniform(0, 255, (5, 8, 8)).astype(np.float32)
    divisors = np.full(64, 0.05, np.float32)
    values = np.rint(coefficients(samples.reshape(5, 64), divisors)).astype(np.int16)
    side = 8 // across
    expected = samples.reshape(5, across, side, across, side).mean(axis=(2, 4))
    np.testing.assert_allclose(cell_means(values, divisors, across), expected, atol=0.2)
