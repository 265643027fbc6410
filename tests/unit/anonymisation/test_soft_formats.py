"""The default style in every kind of file: deterministic, smooth inside, nothing changed outside."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from obscura.anonymisation import Target, redact_photo
from obscura.anonymisation.request import RedactionRequest
from obscura.geometry import Box
from obscura.imaging.open import decode
from obscura.imaging.validation import ValidationLimits
from tests import photos

FACE = Box(170, 30, 280, 190)
REQUEST = RedactionRequest(limits=ValidationLimits(max_frames=2))
TARGETS = [Target("face", FACE)]
# Grown and feathered, the hidden area stays inside this box.
AROUND = (slice(0, 280), slice(80, 370))
MIDDLE = (slice(70, 150), slice(195, 255))


def _animation() -> bytes:
    first = photos.portrait()
    frames = [first.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=frames, duration=100)
    return out.getvalue()


def _heic() -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(photos.portrait()).save(out, quality=80)
    return out.getvalue()


def _deep() -> bytes:
    pixels = np.asarray(photos.portrait(), np.uint16)[..., ::-1] * 257
    return cv2.imencode(".png", pixels)[1].tobytes()


LOSSLESS: dict[str, Callable[[], bytes]] = {
    "png": lambda: photos.encoded(photos.portrait(), "PNG"),
    "png, grey": lambda: photos.encoded(photos.portrait().convert("L"), "PNG"),
    "png, 16 bits": _deep,
    "webp": lambda: photos.encoded(photos.portrait(), "WEBP", lossless=True),
    "tiff": lambda: photos.encoded(photos.portrait(), "TIFF"),
}
LOSSY: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: photos.encoded(photos.portrait(), quality=90),
    "jpeg, grey": lambda: photos.encoded(photos.portrait().convert("L"), quality=90),
    "jpeg, CMYK": lambda: photos.encoded(photos.portrait().convert("CMYK"), quality=90),
    "jpeg, progressive": lambda: photos.encoded(photos.portrait(), quality=90, progressive=True),
    "heic": _heic,
    "avif": lambda: photos.encoded(photos.portrait(), "AVIF", quality=80),
}
ALL = {**LOSSLESS, **LOSSY, "gif, animated": _animation}


def redacted(data: bytes) -> bytes:
    """Return the photo with the face hidden by the defaults."""
    return redact_photo(data, TARGETS, REQUEST).data


def levels(data: bytes) -> NDArray[np.float64]:
    """Return the pixels of the first frame in 8-bit levels."""
    return np.asarray(decode(data, REQUEST.limits).pixels, np.float64)


@pytest.mark.parametrize("form", ALL)
def test_equal_photos_give_equal_bytes(form: str) -> None:
    """Nothing random is in the default, whatever the file."""
    data = ALL[form]()
    assert redacted(data) == redacted(data)


@pytest.mark.parametrize("form", ALL)
def test_the_middle_is_smooth(form: str) -> None:
    """Neighbouring pixels differ little in the middle, where the face had eyes and a mouth."""
    data = ALL[form]()
    before, after = levels(data)[MIDDLE], levels(redacted(data))[MIDDLE]
    steps = [max(np.abs(np.diff(part, axis=axis)).max() for axis in (0, 1)) for part in (before, after)]
    assert steps[0] > 30
    # An animated GIF has a palette, and its levels are dithered or rounded to it.
    assert steps[1] <= (30 if form.startswith("gif") else 4)


@pytest.mark.parametrize("form", LOSSLESS)
def test_nothing_changes_outside(form: str) -> None:
    """All other pixels keep their values."""
    data = LOSSLESS[form]()
    before, after = levels(data), levels(redacted(data))
    outside = np.ones(before.shape[:2], np.bool_)
    outside[AROUND] = False
    assert np.array_equal(after[outside], before[outside])
    assert not np.array_equal(after, before)
