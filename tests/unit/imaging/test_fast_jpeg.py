"""The short way to the pixels of a JPEG."""

import io

import numpy as np
import pytest
from PIL import Image

from obscura.imaging import fast_jpeg
from obscura.imaging.open import decode
from obscura.imaging.pixels import Pixels
from tests import photos


def by_pillow(data: bytes) -> Pixels:
    """Return the pixels that Pillow decodes."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("size", [(1, 1), (17, 9), (512, 511), (1023, 77)])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_pixels_are_pillows(size: tuple[int, int], subsampling: int, *, progressive: bool) -> None:
    """Level by level, whatever the size, the sampling and the order of the scans."""
    picture = photos.portrait().resize(size)
    data = photos.encoded(picture, quality=85, subsampling=subsampling, progressive=progressive)
    fast = fast_jpeg.colours(data, Image.open(io.BytesIO(data)))
    assert fast is not None
    assert np.array_equal(fast.rgb, by_pillow(data))
    assert np.array_equal(decode(data).pixels, by_pillow(data))


def test_grey_stays_grey() -> None:
    """A grey picture is one, and its levels are Pillow's."""
    data = photos.encoded(photos.portrait().convert("L"))
    fast = fast_jpeg.colours(data, Image.open(io.BytesIO(data)))
    assert fast is not None
    assert fast.is_grey
    assert np.array_equal(fast.rgb, by_pillow(data))


def test_what_is_out_of_the_ordinary_is_left_to_pillow() -> None:
    """CMYK and a file that ends early are not decoded the short way."""
    cmyk = photos.encoded(photos.portrait().convert("CMYK"))
    assert fast_jpeg.colours(cmyk, Image.open(io.BytesIO(cmyk))) is None
    whole = photos.encoded(photos.portrait())
    short = whole[: len(whole) // 2]
    assert fast_jpeg.colours(short, Image.open(io.BytesIO(whole))) is None
