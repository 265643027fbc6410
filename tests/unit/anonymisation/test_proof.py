"""The proof that every hidden pixel of a finished file is what was painted."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.anonymisation import redact as redacting
from obscura.contract import OutputFormat
from obscura.errors import ProcessingFailedError
from obscura.geometry import Box
from obscura.imaging.encode import EncodedPhoto, EncodeOptions, encode
from obscura.imaging.open import Photo, decode
from obscura.jpeg.splice import SplicedPhoto, splice
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.regions import Region
from obscura.redaction.styles import Solid
from obscura.settings import Unspliceable
from tests.unit.imaging.samples import FACE, portrait, save
from tests.unit.jpeg.samples import KINDS, made

STRICT = RedactionRequest(unspliceable=Unspliceable.REFUSE)
TARGETS = [Target("face", Box(*FACE))]
SOLID = RedactionPolicy().with_style(Solid())
FORMATS = [("PNG", OutputFormat.SAME), ("WEBP", OutputFormat.SAME), ("TIFF", OutputFormat.SAME)]


@pytest.mark.parametrize(("source", "output"), [*FORMATS, ("PNG", OutputFormat.JPEG)])
def test_a_face_that_shines_through_is_caught(
    source: str, output: OutputFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that shows 60 % paint and 40 % face changed most of what there was, and is no proof."""
    data = save(Image.fromarray(portrait()), source)

    def leaky(photo: Photo, options: EncodeOptions) -> EncodedPhoto:
        x1, y1, x2, y2 = Box(*FACE).rounded()
        pixels = photo.pixels.copy()
        pixels[y1:y2, x1:x2] = (0.6 * pixels[y1:y2, x1:x2] + 0.4 * portrait()[y1:y2, x1:x2]).astype(np.uint8)
        return encode(replace(photo, pixels=pixels), options)

    request = RedactionRequest(SOLID, output=output)
    assert redact_photo(data, TARGETS, request).report.hidden == {"face": 1}
    monkeypatch.setattr(redacting, "encode", leaky)
    with pytest.raises(ProcessingFailedError, match="not what was painted"):
        redact_photo(data, TARGETS, request)


def test_one_pixel_is_enough_where_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a PNG the very samples must be there."""

    def leaky(photo: Photo, options: EncodeOptions) -> EncodedPhoto:
        pixels = photo.pixels.copy()
        x, y = (round(edge) for edge in Box(*FACE)[:2])
        pixels[y + 20, x + 20] ^= 1
        return encode(replace(photo, pixels=pixels), options)

    monkeypatch.setattr(redacting, "encode", leaky)
    with pytest.raises(ProcessingFailedError, match="not what was painted"):
        redact_photo(save(Image.fromarray(portrait()), "PNG"), TARGETS)


def test_decoders_that_disagree_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that our own decoder shows hidden and another one open does not go out."""

    def two_faced(photo: Photo, options: EncodeOptions) -> EncodedPhoto:
        return EncodedPhoto(save(Image.fromarray(portrait()), "PNG"), encode(photo, options).format)

    painted: list[Photo] = []

    def remembered(before: Photo, regions: Sequence[Region]) -> Photo:
        painted.append(before_painted(before, regions))
        return painted[-1]

    before_painted = redacting._painted
    monkeypatch.setattr(redacting, "_painted", remembered)
    monkeypatch.setattr(redacting, "encode", two_faced)
    monkeypatch.setattr(redacting, "open_again", lambda _encoded, _limits: painted[-1])
    with pytest.raises(ProcessingFailedError, match="not what was painted"):
        redact_photo(save(Image.fromarray(portrait()), "PNG"), TARGETS)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16"])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_the_proof_holds_in_every_mode(mode: str, file_format: str) -> None:
    """Grey, palette, alpha and 16 bits: what is written shows what was painted, by both decoders."""
    if mode == "I;16":
        picture = Image.fromarray(portrait()[..., 1].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(portrait()).convert(mode)
    sink = BytesIO()
    picture.save(sink, file_format)
    result = redact_photo(sink.getvalue(), TARGETS)
    assert result.report.hidden == {"face": 1}
    assert decode(result.data).size == result.size


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_spliced_face_that_shines_through_is_caught(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG whose hidden blocks keep 40 % of the face is refused, though most of what there was changed."""
    data = save(Image.fromarray(portrait()).convert(mode), "JPEG", quality=92)
    assert redact_photo(data, TARGETS, STRICT).report.hidden == {"face": 1}

    def leaky(data: bytes, regions: Sequence[Region], **options: Any) -> SplicedPhoto:
        done = splice(data, regions, **options)
        with Image.open(BytesIO(done.data)) as hidden, Image.open(BytesIO(data)) as source:
            face = Box(*FACE).rounded()
            hidden.paste(Image.blend(hidden.crop(face), source.crop(face), 0.4), face[:2])
            return replace(done, data=save(hidden, "JPEG", quality=92))

    monkeypatch.setattr(redacting, "splice", leaky)
    with pytest.raises(ProcessingFailedError, match="not what was painted"):
        redact_photo(data, TARGETS, STRICT)


def test_a_face_that_shines_through_in_its_colours_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The colour differences of hidden blocks are compared, too."""
    data = save(Image.fromarray(portrait()), "JPEG", quality=92)

    def leaky(data: bytes, regions: Sequence[Region], **options: Any) -> SplicedPhoto:
        done = splice(data, regions, **options)
        with Image.open(BytesIO(done.data)) as hidden, Image.open(BytesIO(data)) as source:
            brightness, *colours = hidden.convert("YCbCr").split()
            face = Box(*FACE).rounded()
            for mine, theirs in zip(colours, source.convert("YCbCr").split()[1:], strict=True):
                mine.paste(theirs.crop(face), face[:2])
            merged = Image.merge("YCbCr", (brightness, *colours)).convert("RGB")
            return replace(done, data=save(merged, "JPEG", quality=92))

    monkeypatch.setattr(redacting, "splice", leaky)
    with pytest.raises(ProcessingFailedError, match="not what was painted"):
        redact_photo(data, TARGETS, STRICT)


@pytest.mark.parametrize("quality", [30, 92, 99])
@pytest.mark.parametrize("orientation", [1, 6])
def test_bright_lines_beside_a_plate_are_no_fault(quality: int, orientation: int) -> None:
    """A fill depends much on single cells there; the proof takes it from the very same blocks."""
    pixels = np.full((481, 588, 3), 40, np.uint8)
    pixels[240:247, 120:440] = 250
    pixels[350:360, 150:400] = (20, 200, 90)
    pixels[470:, 300:] = 255
    stored = Image.fromarray(pixels)
    targets = [Target("plate", Box(180, 290, 376, 344)), Target("plate", Box(300, 440, 420, 479))]
    exif = Image.Exif()
    exif[274] = orientation
    if orientation == 6:
        stored = stored.transpose(Image.Transpose.ROTATE_90)
    data = save(stored, "JPEG", quality=quality, exif=exif)
    assert redact_photo(data, targets).report.hidden == {"plate": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_jpeg_is_proved(kind: str) -> None:
    """What is filled in place passes, whatever the sampling, the tables, the scans and the colours."""
    data = made(kind)
    targets = [Target("face", Box(20, 15, 85, 80)), Target("plate", Box(90, 60, 112, 72))]
    assert redact_photo(data, targets).report.hidden == {"face": 1, "plate": 1}
