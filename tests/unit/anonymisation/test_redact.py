"""The use case: a photo and boxes in, a redacted photo and an honest report out."""

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from obscura.anonymisation import RedactionRequest, Target, Verdict, redact_photo
from obscura.anonymisation import redact as redacting
from obscura.contract import MetadataPolicy, OutputFormat
from obscura.errors import NotSpliceableError, ProcessingFailedError, TruncatedPhotoError
from obscura.geometry import Box, Size
from obscura.imaging.encode import EncodedPhoto, EncodeOptions, encode
from obscura.imaging.metadata import policy as metadata
from obscura.imaging.open import PROFILE_WARNING, Photo, decode
from obscura.jpeg.splice import SplicedPhoto, splice
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.regions import Region, grown
from obscura.redaction.styles import Blur, PixelNoise, RegionShape, Style
from obscura.settings import Unspliceable
from tests.unit.imaging.samples import FACE, MARKED, MARKER, exif_block, marked_jpeg, portrait, save
from tests.unit.jpeg.samples import arithmetic

TARGETS = [Target("face", Box(*FACE))]
AS_PNG = RedactionRequest(output=OutputFormat.PNG)
WHERE = np.s_[55:205, 165:285]
"""Inside the grown face box."""


def test_the_face_is_gone_and_the_rest_is_not() -> None:
    """A PNG comes back smooth where the face was, and with every other pixel as it came."""
    result = redact_photo(save(Image.fromarray(portrait()), "PNG"), TARGETS)
    pixels = decode(result.data).pixels
    painted = grown(TARGETS[0].box)
    x1, y1, x2, y2 = painted.rounded()
    assert np.abs(np.diff(pixels[WHERE][40:-40, 30:-30].astype(int), axis=0)).max() <= 4
    outside = np.ones(pixels.shape[:2], bool)
    outside[y1:y2, x1:x2] = False
    assert np.array_equal(pixels[outside], portrait()[outside])
    assert (result.media_type, result.extension, result.size) == ("image/png", ".png", Size(512, 512))


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8, 0, 9])
@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_boxes_hit_the_same_face_whatever_the_orientation(name: str, orientation: int) -> None:
    """Boxes of the upright picture cover the face in the picture as a person sees it.

    A spliced JPEG keeps its stored pixels, and the orientation as its only EXIF tag; a PNG is turned.
    """
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = Image.fromarray(portrait()[:, :400])
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation in undo else upright
    exif = Image.Exif()
    exif[274] = orientation
    result = redact_photo(save(stored, name, exif=exif), TARGETS)
    with Image.open(BytesIO(result.data)) as image:
        is_turned = name == "PNG" or orientation not in undo
        assert dict(image.getexif()) == ({} if is_turned else {274: orientation})
        shown = ImageOps.exif_transpose(image)
        pixels = np.asarray(shown.convert("RGB")).astype(int)
    assert result.size == Size(400, 512)
    change = np.abs(pixels - np.asarray(upright)).mean(axis=2)
    assert change[WHERE].mean() > 15
    assert change[250:].mean() < 5


@pytest.mark.parametrize("name", sorted(MARKED))
@pytest.mark.parametrize("policy", list(MetadataPolicy))
@pytest.mark.parametrize("output", [OutputFormat.SAME, OutputFormat.JPEG])
def test_private_markers_are_in_no_output(name: str, policy: MetadataPolicy, output: OutputFormat) -> None:
    """Texts, thumbnails, previews and trailers of the source are gone under every policy."""
    request = RedactionRequest(metadata=policy, output=output)
    result = redact_photo(MARKED[name](), [Target("face", Box(50, 40, 120, 110))], request)
    assert MARKER not in result.data
    assert result.data.count(b"\xff\xd8\xff\xe0\x00\x10JFIF") <= 1
    removed = set(result.report.metadata_removed)
    assert "xmp" in removed
    assert not removed & set(metadata.found(result.data))


def test_keep_safe_keeps_time_and_place() -> None:
    """What was asked to be kept is in the output and in the report, what was not is named as removed."""
    result = redact_photo(marked_jpeg(6), TARGETS, RedactionRequest(metadata=MetadataPolicy.KEEP_SAFE))
    with Image.open(BytesIO(result.data)) as image:
        exif = image.getexif()
    assert exif[306] == "2024:05:06 07:08:09"
    assert exif[274] == 6
    assert exif.get_ifd(34853)[1] == "N"
    assert result.report.metadata_kept == ("exif", "gps")
    assert {"exif_thumbnail", "maker_note", "mpf", "comment"} <= set(result.report.metadata_removed)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_kept_metadata_can_be_written_in_every_format(name: str) -> None:
    """Camera, time and place come through in each format that is written."""
    source = save(Image.fromarray(portrait()[:128, :128]), name, exif=exif_block(3))
    result = redact_photo(source, [], RedactionRequest(metadata=MetadataPolicy.KEEP_SAFE))
    with Image.open(BytesIO(result.data)) as image:
        exif = image.getexif()
    assert (exif[272], exif.get(274, 1)) == ("Canon EOS 5D Mark IV", 3 if name == "JPEG" else 1)
    assert exif.get_ifd(34665)[42036] == "EF24-105mm f/4L IS USM"
    assert exif.get_ifd(34853)[3] == "E"
    assert MARKER not in result.data


def test_the_report_is_json_and_says_what_was_done() -> None:
    """Counts, styles, boxes, metadata, warnings and verdict are there, in JSON types."""
    targets = [*TARGETS, Target("face", Box(300, 300, 310, 312)), Target("plate", Box(20, 400, 220, 460))]
    request = RedactionRequest(RedactionPolicy().with_style(Blur()))
    report = redact_photo(marked_jpeg(), targets, request).report.as_dict()
    assert json.loads(json.dumps(report)) == report
    assert report["verdict"] == "clean"
    assert report["hidden"] == {"face": 2, "plate": 1}
    assert report["styles"] == {"face": "blur (cosmetic)", "plate": "filled from around"}
    assert report["regions"][2] == [9, 397, 230, 463]
    assert "exif_thumbnail" in report["metadata_removed"]
    assert any("cosmetic" in warning for warning in report["warnings"])


def test_without_boxes_nothing_was_found() -> None:
    """A photo without boxes comes back stripped, and the verdict does not call it clean."""
    result = redact_photo(marked_jpeg(), [])
    assert result.report.verdict is Verdict.NOTHING_FOUND
    assert MARKER not in result.data


def test_a_box_outside_the_picture_is_told_and_not_counted() -> None:
    """Nothing is claimed for a box that covers no pixel."""
    report = redact_photo(marked_jpeg(), [Target("face", Box(900, 900, 950, 950))]).report
    assert (report.verdict, report.hidden) == (Verdict.NOTHING_FOUND, {})
    assert report.warnings == (PROFILE_WARNING, "1 boxes lie outside the picture")


@pytest.mark.parametrize("opacity", [0, 130])
@pytest.mark.parametrize("output", [OutputFormat.SAME, OutputFormat.WEBP, OutputFormat.JPEG])
def test_a_face_hidden_by_transparency_is_hidden_for_good(opacity: int, output: OutputFormat) -> None:
    """Colours under alpha are redacted like any others: making the output opaque shows no face."""
    rgba = Image.fromarray(portrait()).convert("RGBA")
    rgba.putalpha(opacity)
    result = redact_photo(save(rgba, "PNG"), TARGETS, RedactionRequest(output=output))
    with Image.open(BytesIO(result.data)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    detail = np.abs(np.diff(pixels[WHERE], axis=1))
    assert (detail.max(axis=2) > 12).mean() < 0.1


@pytest.mark.parametrize("style", [Blur(), PixelNoise()])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_style_passes_its_own_check(style: Style, mode: str) -> None:
    """The check after redaction accepts what each style paints, also after strong compression."""
    source = save(Image.fromarray(portrait()).convert(mode), "JPEG", quality=12)
    policy = RedactionPolicy(shape=RegionShape.ELLIPSE).with_style(style)
    assert redact_photo(source, TARGETS, RedactionRequest(policy)).report.verdict is Verdict.CLEAN


def test_a_flat_region_is_clean() -> None:
    """Where there is nothing to be seen, nothing has to change."""
    flat = save(Image.new("RGB", (200, 200), (90, 120, 40)), "PNG")
    targets = [Target("plate", Box(20, 20, 120, 80))]
    assert redact_photo(flat, targets).report.verdict is Verdict.CLEAN


def test_painting_that_paints_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken painter ends in an error, never in a picture."""

    def idle(pixels: NDArray[np.uint8], regions: list[Region]) -> NDArray[np.uint8]:
        return pixels.copy()

    monkeypatch.setattr(redacting, "paint", idle)
    with pytest.raises(ProcessingFailedError, match="still to be seen"):
        redact_photo(marked_jpeg(), TARGETS, AS_PNG)


def test_an_encoder_that_writes_the_original_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that does not show what was painted ends in an error."""

    def stale(photo: Photo, options: EncodeOptions) -> EncodedPhoto:
        original = decode(marked_jpeg())
        return encode(original, options)

    monkeypatch.setattr(redacting, "encode", stale)
    with pytest.raises(ProcessingFailedError, match="still to be seen"):
        redact_photo(marked_jpeg(), TARGETS, AS_PNG)


def test_metadata_that_comes_along_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a comment in it ends in an error."""

    def chatty(photo: Photo, options: EncodeOptions) -> EncodedPhoto:
        done = encode(photo, options)
        return EncodedPhoto(done.data + MARKER, done.format)

    monkeypatch.setattr(redacting, "encode", chatty)
    with pytest.raises(ProcessingFailedError, match="metadata"):
        redact_photo(marked_jpeg(), TARGETS, AS_PNG)


def test_a_splice_that_hides_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coder that gives the picture back as it was is an error, or the picture is painted as a whole."""

    def idle(data: bytes, _regions: list[Region], **options: object) -> SplicedPhoto:
        return splice(data, [], **options)  # type: ignore[arg-type]

    monkeypatch.setattr(redacting, "splice", idle)
    with pytest.raises(ProcessingFailedError, match="still to be seen"):
        redact_photo(marked_jpeg(), TARGETS, RedactionRequest(unspliceable=Unspliceable.REFUSE))
    redacted = redact_photo(marked_jpeg(), TARGETS)
    assert any("encoded again as a whole" in warning for warning in redacted.report.warnings)
    assert redacted.report.hidden


def test_a_splice_that_brings_metadata_along_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coder that leaves the source's own header on ends in an error."""

    def chatty(data: bytes, regions: list[Region], **options: object) -> SplicedPhoto:
        done = splice(data, regions, **options)  # type: ignore[arg-type]
        return replace(done, data=done.data + MARKER)

    monkeypatch.setattr(redacting, "splice", chatty)
    with pytest.raises(ProcessingFailedError, match="metadata"):
        redact_photo(marked_jpeg(6), TARGETS, RedactionRequest(unspliceable=Unspliceable.REFUSE))


def test_a_jpeg_is_spliced_and_the_report_proves_it() -> None:
    """Blocks outside the boxes are not touched; the report counts both kinds."""
    result = redact_photo(save(Image.fromarray(portrait()), "JPEG", quality=90), TARGETS)
    lossless = result.report.as_dict()["lossless"]
    assert 0 < lossless["blocks_touched"] < lossless["blocks_total"] / 4
    assert result.report.warnings == ()


def test_what_cannot_be_spliced_is_encoded_again_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The face is hidden all the same, and the report says that every pixel was coded anew."""

    def refuse(_data: bytes, _regions: list[Region], **_options: object) -> SplicedPhoto:
        message = "arithmetic coding"
        raise NotSpliceableError(message)

    monkeypatch.setattr(redacting, "splice", refuse)
    result = redact_photo(marked_jpeg(), TARGETS)
    assert result.report.lossless is None
    again = "the picture was encoded again as a whole: arithmetic coding"
    assert result.report.warnings == (PROFILE_WARNING, again)
    assert result.report.verdict is Verdict.CLEAN


def test_a_broken_photo_is_the_senders_error() -> None:
    """What cannot be opened is no failure of the processing."""
    with pytest.raises(TruncatedPhotoError):
        redact_photo(save(Image.fromarray(portrait()), "JPEG")[:9000], TARGETS)


@pytest.mark.parametrize("is_progressive", [False, True])
def test_arithmetic_coding_is_encoded_again_or_refused(*, is_progressive: bool) -> None:
    """By default an arithmetic-coded JPEG is hidden in with a warning, or refused by setting."""
    source = arithmetic(is_progressive=is_progressive)
    target = [Target("face", Box(20, 15, 85, 80))]
    result = redact_photo(source, target)
    assert result.report.lossless is None
    assert any("encoded again" in warning for warning in result.report.warnings)
    before, after = (Image.open(BytesIO(data)) for data in (source, result.data))
    assert before.quantization == after.quantization  # type: ignore[attr-defined]
    with pytest.raises(NotSpliceableError, match="arithmetic") as caught:
        redact_photo(source, target, RedactionRequest(unspliceable=Unspliceable.REFUSE))
    assert caught.value.code == "not_spliceable"


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
@pytest.mark.parametrize("shape", RegionShape)
def test_a_soft_edge_lies_outside(name: str, shape: RegionShape) -> None:
    """What the painted box covers is hidden as without a soft edge; only the margin around it blends."""
    source = save(Image.fromarray(portrait()), name)
    policy = RedactionPolicy(shape=shape, feather=0.2)
    result = redact_photo(source, TARGETS, RedactionRequest(policy))
    before, after = (decode(data).pixels.astype(int) for data in (source, result.data))
    (x1, y1, x2, y2), reach = result.report.regions[0], 0.2 * 195 + 34
    outside = np.ones(before.shape[:2], bool)
    outside[max(0, int(y1 - reach)) : int(y2 + reach), max(0, int(x1 - reach)) : int(x2 + reach)] = False
    assert np.array_equal(before[outside], after[outside])
    middle = after[WHERE][30:-30, 30:-30]
    assert np.abs(np.diff(middle, axis=1)).max(axis=2).mean() < 2
    margin = np.abs(after - before)[y1:y2, max(0, x1 - 20) : x1 - 2]
    assert margin.max() > 0
