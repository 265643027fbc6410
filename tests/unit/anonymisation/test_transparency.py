"""Transparency: what any viewer may show is looked at and hidden; what none shows does not stay."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from obscura.anonymisation import Target, redact_photo
from obscura.anonymisation.detect import find_objects, open_photo
from obscura.anonymisation.request import RedactionRequest
from obscura.anonymisation.residual_check import find_residual
from obscura.contract import Frames, ObjectClass
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.loading import load_for
from obscura.geometry import Box
from obscura.imaging.composites import composites
from obscura.imaging.configured_limits import validation_limits
from obscura.imaging.high_bit_depth import HighBitDepth
from obscura.imaging.high_bit_depth import png as deep_png
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.styles import Solid
from obscura.settings import Settings
from tests import photos

SETTINGS = Settings()
CROP = (96, 0, 352, 256)
PORTRAIT = photos.portrait().crop(CROP)
FACE = tuple(np.subtract(photos.FACE, CROP[:2] * 2))
GREY = np.asarray(PORTRAIT.convert("L"))


def flat(level: int, alpha: NDArray[np.uint8]) -> Image.Image:
    """Return one colour with an alpha plane."""
    return Image.fromarray(np.dstack([np.full((*alpha.shape, 3), level, np.uint8), alpha]))


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return the file of a picture."""
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def colours_only(alpha: int) -> Image.Image:
    """Return the portrait under one alpha."""
    picture = PORTRAIT.copy()
    picture.putalpha(alpha)
    return picture


def palette(kind: str) -> bytes:
    """Return a picture of 256 greys whose palette is black, and whose alpha alone is the portrait's grey."""
    picture = Image.fromarray(GREY, "P")
    picture.putpalette(bytes(768))
    return saved(picture, kind, transparency=bytes(range(256)))


def clear_gif() -> bytes:
    """Return a white GIF in which the dark greys of the portrait are transparent: a stencil."""
    stencil = Image.fromarray((GREY > 110).astype(np.uint8), "P")
    stencil.putpalette(bytes((255, 255, 255)) * 256)
    return saved(stencil, "GIF", transparency=0)


def deep_alpha() -> bytes:
    """Return a PNG of 16 bits a sample whose alpha alone is the portrait."""
    samples = np.zeros((*GREY.shape, 3), np.uint16)
    return deep_png(HighBitDepth(samples, GREY.astype(np.uint16) * 257), None, b"")


def animation(kind: str) -> bytes:
    """Return two frames, of which the second one has the portrait in its alpha."""
    frames = [flat(0, np.full(GREY.shape, 128, np.uint8)), flat(0, GREY)]
    frames[0].putpixel((0, 0), (1, 1, 1, 200))
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=90, lossless=True)


CASES: dict[str, Callable[[], bytes]] = {
    "black, alpha is the portrait": lambda: saved(flat(0, GREY), "PNG"),
    "white, alpha is the portrait": lambda: saved(flat(255, GREY), "PNG"),
    "black, alpha is the negative": lambda: saved(flat(0, 255 - GREY), "PNG"),
    "grey and alpha": lambda: saved(flat(0, GREY).convert("LA"), "PNG"),
    "colours under alpha 1": lambda: saved(colours_only(1), "PNG"),
    "colours under alpha 0": lambda: saved(colours_only(0), "PNG"),
    "a palette with tRNS": lambda: palette("PNG"),
    "WebP": lambda: saved(flat(0, GREY), "WEBP", lossless=True, exact=True),
    "TIFF": lambda: saved(flat(0, GREY), "TIFF"),
    "a GIF": clear_gif,
    "16 bits": deep_alpha,
}

# A softly filled head may still pass for a face; one of a single colour does not.
SOLID = RedactionPolicy(styles={"face": Solid()})


@pytest.fixture(scope="module")
def faces() -> Detector:
    """Load the detector of faces."""
    return load_for(SETTINGS, ObjectClass.FACE, 1)


def views(data: bytes, frame: int = 0) -> list[NDArray[np.uint8]]:
    """Return all that a viewer may show of a file: made here with Pillow, not as the product makes it."""
    with Image.open(io.BytesIO(data)) as image:
        image.seek(frame)
        picture = image.convert("RGBA")
    shown = [picture.convert("RGB")]
    for level in (0, 255):
        ground = Image.new("RGBA", picture.size, (level, level, level, 255))
        shown.append(Image.alpha_composite(ground, picture).convert("RGB"))
    return [np.asarray(view) for view in shown]


def covers(box: Sequence[float]) -> bool:
    """Whether a box lies on the face of the portrait."""
    x1, y1, x2, y2 = (float(side) for side in FACE)
    return box[0] < (x1 + x2) / 2 < box[2] and box[1] < (y1 + y2) / 2 < box[3]


@pytest.mark.parametrize("case", CASES)
def test_a_face_is_hidden_wherever_it_is(faces: Detector, case: str) -> None:
    """It is found once, and in no view of the result."""
    data = CASES[case]()
    photo = open_photo(data, SETTINGS)
    found = find_objects(faces, photo, DetectionOptions()).detections
    # A negative over white may have more finds than that one; too much is hidden then.
    assert [covers(item.xyxy) for item in found].count(True) == 1
    targets = [Target("face", Box(*item.xyxy)) for item in found]
    result = redact_photo(data, targets, RedactionRequest(SOLID), photo)
    for view in views(result.data):
        assert not any(covers(item.box) for item in faces.detect(view))


def test_the_second_look_sees_every_view_too(faces: Detector) -> None:
    """What is left in the alpha plane of a finished file is told."""
    picture = open_photo(saved(flat(0, GREY), "PNG"), SETTINGS)
    assert any(covers(item.xyxy) for item in find_residual(faces, picture, [], DetectionOptions()))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_each_frame_of_an_animation_is_seen_over_both(faces: Detector, kind: str) -> None:
    """The frame whose alpha is the portrait has a face, and none in the result."""
    data = animation(kind)
    photo = open_photo(data, SETTINGS, Frames.ALL)
    found = find_objects(faces, photo, DetectionOptions()).detections
    assert {item.frame for item in found} == {1}
    assert [covers(item.xyxy) for item in found].count(True) == 1
    targets = [Target("face", Box(*item.xyxy), item.frame) for item in found]
    result = redact_photo(
        data, targets, RedactionRequest(SOLID, limits=validation_limits(SETTINGS, Frames.ALL))
    )
    for view in views(result.data, 1):
        assert not any(covers(item.box) for item in faces.detect(view))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_colours_that_nobody_sees_do_not_stay(kind: str) -> None:
    """Wholly transparent pixels lose their colours even where nothing is found; all others keep theirs."""
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:100] = 0
    picture = PORTRAIT.copy()
    picture.putalpha(Image.fromarray(alpha))
    exact = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    result = redact_photo(saved(picture, kind, **exact), [])
    with Image.open(io.BytesIO(result.data)) as image:
        shown = np.asarray(image.convert("RGBA"))
    assert np.array_equal(shown[..., 3], alpha)
    assert len(np.unique(shown[:100].reshape(-1, 4), axis=0)) == 1
    assert np.array_equal(shown[100:, :, :3], np.asarray(PORTRAIT)[100:])


def test_colours_that_nobody_sees_do_not_stay_in_16_bits() -> None:
    """The same at full depth, where alpha below half a level of 8 bits is not yet nothing."""
    random = np.random.default_rng(0)
    samples = random.integers(1, 65_536, (40, 40, 3)).astype(np.uint16)
    alpha = np.full((40, 40), 65_535, np.uint16)
    alpha[:10], alpha[10:20] = 0, 100
    result = redact_photo(deep_png(HighBitDepth(samples, alpha), None, b""), [])
    shown = open_photo(result.data, SETTINGS).high_bit_depth
    assert shown is not None
    assert not shown.samples[:10].any()
    assert np.array_equal(shown.samples[10:], samples[10:])


def test_a_photo_without_transparency_has_one_view() -> None:
    """It costs no look more, with an alpha plane that is opaque neither."""
    pixels = np.asarray(PORTRAIT)
    assert list(composites(pixels, None)) == []
    assert list(composites(pixels, np.full(pixels.shape[:2], 255, np.uint8))) == []
    assert len(list(composites(pixels, np.full(pixels.shape[:2], 254, np.uint8)))) == 2
