"""Animations and documents: refused by default, and every frame hidden in where all are asked for."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.contract import OutputFormat
from obscura.errors import AnimatedPhotoError, InvalidOptionError, TooManyPixelsError
from obscura.geometry import Box
from obscura.imaging.open import decode
from obscura.imaging.validation import ValidationLimits
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.styles import Solid
from tests.unit.imaging.samples import MARKER, portrait

FACE = Box(60, 40, 120, 110)
ALL = RedactionRequest(limits=ValidationLimits(max_frames=10))
DURATIONS = [100, 250, 100, 60]
OUTSIDE = np.ones((150, 200), bool)
OUTSIDE[20:130, 40:140] = False


def frames() -> list[NDArray[np.uint8]]:
    """Return four pictures: one moves, the second stands still for two."""
    whole = portrait()
    starts = [150, 130, 130, 100]
    return [np.ascontiguousarray(whole[50:200, start : start + 200]) for start in starts]


def animated(name: str, **settings: Any) -> bytes:
    """Return a file of four frames, or pages, with a marker in its text where it can hold one."""
    first, *others = map(Image.fromarray, frames())
    sink = BytesIO()
    timing = {} if name == "TIFF" else {"duration": DURATIONS, "loop": 3}
    exact = {"lossless": True} if name == "WEBP" else {}
    first.save(sink, name, save_all=True, append_images=others, **timing, **exact, **settings)
    return sink.getvalue()


def shown(data: bytes) -> list[tuple[NDArray[np.uint8], int]]:
    """Return each frame of a file with its duration."""
    with Image.open(BytesIO(data)) as image:
        return [
            (np.asarray(frame.convert("RGB")), int(frame.info.get("duration", 0)))
            for frame in ImageSequence.Iterator(image)
        ]


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "GIF"])
def test_several_frames_are_an_error_that_counts_them(name: str) -> None:
    """By default a file of several frames is refused, and the message says how many there are."""
    with pytest.raises(AnimatedPhotoError, match=r"has [34] frames"):
        redact_photo(animated(name), [])


@pytest.mark.parametrize(("name", "written"), [("PNG", "PNG"), ("WEBP", "WEBP"), ("TIFF", "TIFF")])
def test_every_frame_is_hidden_in(name: str, written: str) -> None:
    """Where all are asked for, each frame has its own boxes, and nothing else changes in any."""
    targets = [Target("face", FACE, frame) for frame in (0, 2)] + [Target("plate", Box(0, 0, 9, 9))]
    source = animated(name)
    several = decode(source, ALL.limits).count
    result = redact_photo(source, targets, ALL)
    report = result.report.as_dict()
    assert report["frames"]["count"] == several
    assert report["hidden"] == {"face": 2, "plate": several}
    assert report["frames"]["regions"].count(0) == 2
    with Image.open(BytesIO(result.data)) as image:
        assert image.format == written
        assert image.info.get("loop", 3) == 3
    before, after = shown(source), shown(result.data)
    assert sum(time for _, time in after) == sum(time for _, time in before)
    for number, index in enumerate(report["frames"]["shown"]):
        change = np.abs(before[number][0].astype(int) - after[index][0]).max(axis=2)
        assert change[OUTSIDE][200 * 12 :].max() == 0
        assert (change[40:110, 60:120].mean() > 8) == (number in (0, 2))


def test_a_gif_becomes_an_animated_png() -> None:
    """What has to be coded anew is coded without loss; durations and the number of rounds stay."""
    result = redact_photo(animated("GIF"), [Target("face", FACE)], ALL)
    assert result.media_type == "image/png"
    with Image.open(BytesIO(result.data)) as image:
        assert image.info["loop"] == 3
    assert sum(time for _, time in shown(result.data)) == sum(DURATIONS)


def test_transparent_frames() -> None:
    """Alpha of each frame is kept; that of a hidden object has one value."""
    pictures = [
        np.dstack((frame, np.full(frame.shape[:2], 90 * n, np.uint8))) for n, frame in enumerate(frames()[:2])
    ]
    first, second = map(Image.fromarray, pictures)
    sink = BytesIO()
    first.save(sink, "PNG", save_all=True, append_images=[second], duration=50)
    result = redact_photo(sink.getvalue(), [Target("face", FACE)], ALL)
    with Image.open(BytesIO(result.data)) as image:
        image.seek(1)
        after = np.asarray(image.convert("RGBA"))
    assert np.array_equal(after[OUTSIDE], pictures[1][OUTSIDE])


def test_texts_of_an_animation_go() -> None:
    """Metadata of an animated file are stripped like those of any other."""
    source = animated("WEBP", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + MARKER, xmp=MARKER)
    result = redact_photo(source, [], ALL)
    assert MARKER not in result.data
    assert {"exif", "xmp"} <= set(result.report.metadata_removed)


def test_limits() -> None:
    """More frames than allowed, and more pixels in all of them together, are refused at the gate."""
    with pytest.raises(AnimatedPhotoError, match="4 frames; at most 3"):
        decode(animated("TIFF"), ValidationLimits(max_frames=3))
    with pytest.raises(TooManyPixelsError, match="4 frames"):
        decode(animated("TIFF"), ValidationLimits(max_frames=9, max_pixels=4 * 150 * 200 - 1))
    assert decode(animated("TIFF"), ValidationLimits(max_frames=4, max_pixels=4 * 150 * 200)).count == 4


def test_pages_of_different_sizes_are_refused() -> None:
    """Pages have to have one size: otherwise the error says so."""
    sink = BytesIO()
    Image.new("RGB", (50, 40)).save(sink, "TIFF", save_all=True, append_images=[Image.new("RGB", (60, 40))])
    with pytest.raises(AnimatedPhotoError, match="different sizes"):
        redact_photo(sink.getvalue(), [], ALL)


def test_an_output_that_holds_one_picture_is_refused() -> None:
    """A JPEG cannot hold an animation."""
    request = RedactionRequest(output=OutputFormat.JPEG, limits=ALL.limits)
    with pytest.raises(InvalidOptionError, match="4 frames"):
        redact_photo(animated("TIFF"), [], request)


def test_colours_and_boxes_do_not_reach_into_the_next_frame() -> None:
    """A box at a frame's lower edge paints nothing of the one below it."""
    request = RedactionRequest(RedactionPolicy(feather=0.4).with_style(Solid()), limits=ALL.limits)
    result = redact_photo(animated("TIFF"), [Target("face", Box(60, 120, 120, 150), 1)], request)
    for number, (picture, _) in enumerate(shown(result.data)):
        assert np.array_equal(picture, frames()[number]) == (number != 1)
