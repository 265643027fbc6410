"""What a splice promises: the hidden is gone, all else is the same number, whatever the file and coder."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from obscura.geometry import Box
from obscura.jpeg import native
from obscura.jpeg.codec import Codec
from obscura.jpeg.header import HeaderOptions
from obscura.jpeg.native import NativeCodec
from obscura.jpeg.portable import PortableCodec
from obscura.jpeg.splice import SplicedPhoto, available_engines, splice, splice_with
from obscura.redaction.regions import Region
from obscura.redaction.styles import Blur, Mosaic, PixelNoise, RegionShape, Solid, Style
from tests.unit.jpeg.samples import (
    HEIGHT,
    KINDS,
    WIDTH,
    blocks_under,
    decoded,
    made,
    mcu_size,
    picture,
)

FACE = Region(Box(20.0, 15.0, 85.0, 80.0), Mosaic())

STYLES = st.one_of(
    st.integers(1, 5).map(Mosaic),
    st.just(Solid()),
    st.floats(0.05, 1.0).map(Blur),
    st.integers(1, 5).map(PixelNoise),
)
BOXES = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.floats(-40, 130),
    st.floats(-40, 110),
    st.floats(0.5, 100),
    st.floats(0.5, 100),
)
REGIONS = st.lists(st.builds(Region, BOXES, STYLES, st.sampled_from(RegionShape)), max_size=4)


def touched_by(regions: list[Region], mcu: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which MCUs any point of a region lies in, by the nearest point of each MCU."""
    height, width = mcu
    mcus = np.zeros((-(-HEIGHT // height), -(-WIDTH // width)), np.bool_)
    for region in regions:
        box, exponent = region.box, region.shape.exponent
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= WIDTH or box.y1 >= HEIGHT:
            continue
        for row, column in np.ndindex(mcus.shape):
            top, left = row * height, column * width
            # The point of the MCU that is nearest to the centre of the region.
            x = min(max((box.x1 + box.x2) / 2, left), left + width)
            y = min(max((box.y1 + box.y2) / 2, top), top + height)
            meets = box.x1 < left + width and box.x2 > left and box.y1 < top + height and box.y2 > top
            if region.shape is not RegionShape.BOX:
                across = (x - (box.x1 + box.x2) / 2) / max(box.width / 2, 0.5 * width)
                down = (y - (box.y1 + box.y2) / 2) / max(box.height / 2, 0.5 * height)
                meets = meets and abs(across) ** exponent + abs(down) ** exponent <= 1.0 + 1e-12
            mcus[row, column] |= meets
    return mcus


def require_spliced(source: bytes, done: SplicedPhoto, regions: list[Region]) -> None:
    """Compare both files as a second library reads them."""
    before, after = decoded(source), decoded(done.data)
    assert before.sampling == after.sampling
    mcus = touched_by(regions, mcu_size(before.sampling))
    touched = 0
    pairs = zip(blocks_under(mcus, before), blocks_under(mcus, after), strict=True)
    for (old, hidden), (new, _) in pairs:
        np.testing.assert_array_equal(new[~hidden], old[~hidden])
        assert not new[hidden][:, 1:].any()
        touched += int(hidden.sum())
    assert done.blocks_touched == touched
    assert done.blocks_total == sum(plane.shape[0] * plane.shape[1] for plane in before.planes)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_mcus_under_the_region_change(kind: str, codec: Codec) -> None:
    """Outside the touched MCUs every coefficient is the same; inside no AC coefficient is left."""
    source = made(kind)
    done = splice_with(codec, source, [FACE], HeaderOptions())
    require_spliced(source, done, [FACE])
    assert done.blocks_touched > 0
    assert done.engine == codec.name


@pytest.mark.parametrize("kind", KINDS)
def test_the_coding_stays_what_it_was(kind: str, codec: Codec) -> None:
    """The spliced file has the frame, the scans and the restart intervals of its source, and its size."""
    source = made(kind)
    done = splice_with(codec, source, [FACE], HeaderOptions()).data
    assert _outline(done) == _outline(source)
    assert len(done) <= 1.02 * len(source)
    unchanged = splice_with(codec, source, [], HeaderOptions()).data
    assert abs(len(unchanged) - len(source)) <= 0.02 * len(source) + 700


def _outline(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Return the frame and scan headers of a file and the restart intervals that it uses."""
    found, at = list[tuple[int, bytes]](), 2
    while jpeg[at + 1] != 0xD9:
        length = int.from_bytes(jpeg[at + 2 : at + 4])
        marker, body = jpeg[at + 1], jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in (0xC0, 0xC1, 0xC2, 0xDA, 0xDD):
            found.append((marker, body))
        while marker == 0xDA and (jpeg[at] != 0xFF or jpeg[at + 1] in (0, *range(0xD0, 0xD8))):
            at += 1
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(KINDS)), regions=REGIONS)
def test_any_regions_of_any_file(kind: str, regions: list[Region]) -> None:
    """Whatever is hidden, and how, nothing else changes."""
    codec = NativeCodec() if native.problem() is None else PortableCodec()
    source = made(kind)
    require_spliced(source, splice_with(codec, source, regions, HeaderOptions()), regions)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(KINDS)), regions=REGIONS)
def test_both_coders_write_the_same_file(kind: str, regions: list[Region]) -> None:
    """Given the same noise, the coder in Python writes the bytes that the compiled one writes."""
    if native.problem() is not None:
        pytest.skip(f"native coder: {native.problem()}")
    source = made(kind)
    first, second = (
        splice_with(codec, source, regions, HeaderOptions(), entropy=_noise)
        for codec in (NativeCodec(), PortableCodec())
    )
    assert first.data == second.data


def _noise(count: int) -> bytes:
    return np.random.default_rng(count).bytes(count)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int, codec: Codec) -> None:
    """A box drawn on the upright picture hides what is in it, however the pixels are stored."""
    upright = np.full((96, 144, 3), 200, np.uint8)
    upright[::2, ::3] = 90
    upright[20:40, 100:130] = (250, 0, 0)
    stored = Image.fromarray(upright)
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    exif = Image.Exif()
    exif[274] = orientation
    sink = BytesIO()
    (stored if turn is None else stored.transpose(turn)).save(
        sink, "JPEG", quality=95, subsampling=0, exif=exif
    )
    region = Region(Box(100.0, 20.0, 130.0, 40.0), Solid())
    done = splice_with(codec, sink.getvalue(), [region], HeaderOptions(orientation))
    with Image.open(BytesIO(done.data)) as result:
        tags = dict(result.getexif())
        assert tags == ({} if orientation == 1 else {274: orientation})
    before, after = _upright(sink.getvalue()), _upright(done.data)
    rows, columns = np.nonzero(np.abs(before.astype(int) - after).max(axis=2) > 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 39, 96, 135)
    assert np.ptp(after[16:40, 96:136].reshape(-1, 3), axis=0).max() == 0


def _upright(jpeg: bytes) -> NDArray[np.uint8]:
    """Decode a file and turn it as its own EXIF block says."""
    return np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(jpeg))))


@pytest.mark.parametrize("style", [Mosaic(5), Mosaic(2), PixelNoise(3), Solid()])
def test_no_more_cells_than_asked_for(style: Style, codec: Codec) -> None:
    """The long side of a region shows at most as many cells as its style says."""
    source = made("pillow quality 98")
    for box in (Box(8.0, 8.0, 88.0, 88.0), Box(3.0, 5.0, 114.0, 40.0), Box(-60.0, 1.0, 60.0, 60.0)):
        done = splice_with(codec, source, [Region(box, style)], HeaderOptions(), entropy=bytes)
        mcus = touched_by([Region(box, style)], (8, 8))
        (plane, hidden), *_ = blocks_under(mcus, decoded(done.data))
        rows, columns = (np.flatnonzero(hidden.any(axis=axis)) for axis in (1, 0))
        means = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, 0]
        most = style.cells if isinstance(style, Mosaic) else 1
        if not isinstance(style, PixelNoise):
            assert np.any(np.diff(means, axis=0), axis=1).sum() < most
            assert np.any(np.diff(means, axis=1), axis=0).sum() < most


def test_noise_is_fresh_each_time(codec: Codec) -> None:
    """Two splices of one photo differ inside the region: the noise cannot be looked up."""
    source = made("pillow 4:2:0")
    files = {splice_with(codec, source, [FACE], HeaderOptions()).data for _ in range(4)}
    assert len(files) == 4


def test_solid_is_the_mean_colour_of_what_is_around(codec: Codec) -> None:
    """A solid region has one colour, the mean of the blocks around it, within a level and rounding."""
    source = made("pillow quality 98")
    done = splice_with(codec, source, [Region(Box(16.0, 16.0, 80.0, 80.0), Solid())], HeaderOptions())
    before, after = _upright(source)[:, :96].astype(float), _upright(done.data)[16:80, 16:80]
    before[16:80, 16:80] = np.nan
    assert np.abs(np.nanmean(before, axis=(0, 1)) - after.mean(axis=(0, 1))).max() < 5.0
    assert np.ptp(after.reshape(-1, 3), axis=0).max() <= 2


@pytest.mark.parametrize(
    "kind", ["pillow 4:2:0", "pillow progressive", "pillow CMYK", "jpeglib mixed sampling"]
)
def test_one_colour_tells_nothing_of_what_it_hides(kind: str) -> None:
    """Two pictures that differ in hidden blocks alone are the same picture afterwards."""
    regions = [Region(Box(20.0, 15.0, 85.0, 80.0), Solid(), feather=8.0)]
    sources = made(kind), _otherwise(made(kind))
    assert sources[0] != sources[1]
    first, second = (decoded(splice(source, regions).data).planes for source in sources)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def _otherwise(jpeg: bytes) -> bytes:
    """Return a file that differs in the hidden blocks alone."""
    return splice(jpeg, [Region(Box(20.0, 15.0, 85.0, 80.0), PixelNoise(5))]).data


def test_solid_with_a_soft_edge_takes_its_colour_from_beyond_it(codec: Codec) -> None:
    """A wide soft edge leaves nothing untouched beside the region: its colour comes from behind the edge."""
    red = np.full((160, 160, 3), (200, 30, 40), np.uint8)
    red[60:100, 60:100] = picture(40, 40)
    sink = BytesIO()
    Image.fromarray(red).save(sink, "JPEG", quality=95)
    region = Region(Box(60.0, 60.0, 100.0, 100.0), Solid(), feather=20.0)
    after = _upright(splice_with(codec, sink.getvalue(), [region], HeaderOptions()).data)
    assert np.abs(after[70:90, 70:90].astype(int) - (200, 30, 40)).max() < 6


@pytest.mark.parametrize("shape", RegionShape)
@pytest.mark.parametrize("kind", ["pillow 4:2:0", "pillow 4:4:4", "pillow progressive"])
def test_a_soft_edge_grows_what_is_touched(kind: str, shape: RegionShape, codec: Codec) -> None:
    """With a soft edge more blocks are touched, those under the region are hidden all the same."""
    hard = Region(Box(40.0, 30.0, 80.0, 64.0), Mosaic(), shape)
    soft = replace(hard, feather=20.0)
    without, done = (
        splice_with(codec, made(kind), [item], HeaderOptions(), entropy=_noise) for item in (hard, soft)
    )
    assert done.blocks_touched > without.blocks_touched
    source = decoded(made(kind))
    core = touched_by([hard], mcu_size(source.sampling))
    wide = touched_by([Region(hard.box.grow(1.0 + 2 * 36 / 34), Solid())], mcu_size(source.sampling))
    planes = (blocks_under(core, decoded(item.data)) for item in (without, done))
    for (old, hidden), (new, _), (before, around) in zip(*planes, blocks_under(wide, source), strict=True):
        np.testing.assert_array_equal(old[hidden], new[hidden])
        np.testing.assert_array_equal(before[~around], new[~around])


def test_regions_outside_the_picture_are_left_out(codec: Codec) -> None:
    """A box that lies outside hides nothing, and is no error."""
    outside = Region(Box(500.0, 500.0, 600.0, 600.0), Solid())
    assert splice_with(codec, made("cv2 420"), [outside], HeaderOptions()).blocks_touched == 0


def test_the_best_engine_is_taken() -> None:
    """`splice` uses the first coder that can be used here, and one always can."""
    first = next(engine for engine in available_engines() if engine.is_available)
    assert splice(made("cv2 420"), [FACE]).engine == first.name
    assert available_engines()[-1].is_available
