"""Sixteen bits per sample stay sixteen bits, and palettes stay palettes, outside of what is hidden."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.contract import MetadataPolicy, OutputFormat
from obscura.geometry import Box
from obscura.imaging import high_bit_depth
from obscura.imaging.high_bit_depth import HighBitDepth
from obscura.imaging.open import REDUCED_WARNING, decode
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.styles import Mosaic, Solid
from tests.unit.imaging.samples import MARKER, chunk, exif_block, portrait, save

WHERE = Box(60, 40, 120, 110)
OUTSIDE = np.ones((150, 200), bool)
OUTSIDE[25:125, 45:135] = False
"""Nothing of what the box is grown to."""


def samples(channels: int) -> NDArray[np.uint16]:
    """Return a part of the portrait with noise in the lower bits, ``uint16[150, 200, channels]``."""
    picture = portrait()[50:200, 150:350, :3].astype(np.uint16) * 257
    noise = np.random.default_rng(5).integers(0, 200, (150, 200, 4), np.uint16)
    wide = np.dstack((picture, np.full((150, 200), 60_000, np.uint16))) ^ noise
    return np.ascontiguousarray(wide[..., {1: [1], 2: [1, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]])


def read(data: bytes) -> NDArray[np.uint16]:
    """Read a file with OpenCV, RGB(A) or grey."""
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert seen is not None
    assert seen.dtype == np.uint16
    wide = seen.reshape(*seen.shape[:2], -1)
    return np.asarray(wide if wide.shape[2] == 1 else wide[..., [2, 1, 0, 3][: wide.shape[2]]], np.uint16)


def by_opencv(name: str, channels: int) -> bytes:
    """Write 16 bits with another writer than ours."""
    picture = samples(channels)
    order = picture if channels == 1 else picture[..., [2, 1, 0, 3][:channels]]
    return cv2.imencode(f".{name}", order)[1].tobytes()


@pytest.mark.parametrize("name", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_untouched_samples_are_the_same_bit_for_bit(name: str, channels: int) -> None:
    """Grey, colour and alpha of 16 bits come back as they were, but for what is hidden."""
    request = RedactionRequest(RedactionPolicy().with_style(Mosaic()))
    result = redact_photo(by_opencv(name, channels), [Target("face", WHERE)], request)
    before, after = samples(channels), read(result.data)
    assert result.media_type == f"image/{name}"
    assert after.shape == before.shape
    assert np.array_equal(after[OUTSIDE], before[OUTSIDE])
    hidden = after[40:110, 60:120, : min(channels, 3)]
    assert len(np.unique(hidden.reshape(-1, hidden.shape[2]), axis=0)) <= 9
    assert REDUCED_WARNING not in result.report.warnings


def test_grey_with_alpha() -> None:
    """A grey PNG with alpha stays one."""
    picture = samples(2)
    source = high_bit_depth.png(HighBitDepth(picture[..., :1].copy(), picture[..., 1].copy()), None, b"")
    result = redact_photo(source, [Target("face", WHERE)])
    after = read(result.data)
    assert result.data[24:26] == b"\x10\x04"
    assert np.array_equal(after[OUTSIDE][:, [0, 3]], picture[OUTSIDE])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    """A turned picture of 16 bits comes out upright."""
    source = by_opencv("png", 3)
    at = source.index(b"IDAT") - 4
    source = source[:at] + chunk(b"eXIf", exif_block(orientation)[6:]) + source[at:]
    photo, result = decode(source), redact_photo(source, [])
    assert photo.high_bit_depth is not None
    assert np.abs(photo.high_bit_depth.rgb().astype(int) - photo.pixels).max() <= 1
    assert np.array_equal(read(result.data), photo.high_bit_depth.samples)
    assert MARKER not in result.data


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_kept_metadata_and_profile_are_written(name: str) -> None:
    """Camera, time and place come through, and the colours of the profile, in files of 16 bits too."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = redact_photo(save(Image.new("RGB", (9, 9)), "JPEG", exif=exif_block()), [], KEEP).data
    with Image.open(BytesIO(kept)) as image:
        block = image.info["exif"]
    write = high_bit_depth.png if name == "png" else high_bit_depth.tiff
    source = write(HighBitDepth(samples(3), None), profile, block)
    result = redact_photo(source, [Target("plate", WHERE)], KEEP)
    assert {"exif", "gps", "icc"} <= set(result.report.metadata_kept)
    with Image.open(BytesIO(result.data)) as image:
        exif = image.getexif()
        assert (exif[272], exif.get_ifd(34665)[42036]) == ("Canon EOS 5D Mark IV", "EF24-105mm f/4L IS USM")
        assert image.info["icc_profile"]
    assert np.array_equal(read(result.data)[OUTSIDE], samples(3)[OUTSIDE])


KEEP = RedactionRequest(metadata=MetadataPolicy.KEEP_SAFE)


def test_other_outputs_say_what_they_lose() -> None:
    """WebP holds 8 bits: the report says so."""
    result = redact_photo(by_opencv("png", 3), [], RedactionRequest(output=OutputFormat.WEBP))
    assert result.report.warnings == (REDUCED_WARNING,)


@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_palette_stays_a_palette(*, has_alpha: bool) -> None:
    """A PNG with a palette and transparent entries is written as one, its untouched pixels the same."""
    image = Image.fromarray(portrait()[50:200, 150:350]).quantize(64)
    settings = {"transparency": bytes([0, 128, *[255] * 62])} if has_alpha else {}
    source = save(image, "PNG", **settings)
    # A smooth fill has more colours than a palette holds; one colour fits.
    solid = RedactionRequest(RedactionPolicy().with_style(Solid()))
    result = redact_photo(source, [Target("face", WHERE)], solid)
    with Image.open(BytesIO(source)) as before, Image.open(BytesIO(result.data)) as after:
        assert after.mode == "P"
        one, other = (np.array(item.convert("RGBA")) for item in (before, after))
    # Of the entry that nobody sees the colour goes.
    one[one[..., 3] == 0] = 0
    assert np.array_equal(one[OUTSIDE], other[OUTSIDE])
    assert not np.array_equal(one, other)


def test_too_many_colours_for_a_palette() -> None:
    """Where hiding adds colours beyond 256, the picture has no palette, and nothing is rounded."""
    image = Image.fromarray(portrait()[50:200, 150:350]).quantize(256)
    result = redact_photo(save(image, "PNG"), [Target("face", WHERE)])
    with Image.open(BytesIO(result.data)) as after:
        assert np.array_equal(
            np.asarray(after.convert("RGB"))[OUTSIDE], np.asarray(image.convert("RGB"))[OUTSIDE]
        )
