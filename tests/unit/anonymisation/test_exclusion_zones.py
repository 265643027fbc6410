"""Masks and keep-out zones in the use case: what is drawn is hidden, what a zone holds wholly is not."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from obscura.anonymisation import RedactionRequest, Target, Verdict, redact_photo
from obscura.contract import OutputFormat
from obscura.errors import MaskDoesNotFitError, WeakerThanPolicyError
from obscura.geometry import Box
from obscura.imaging.open import decode
from obscura.redaction.policy import PolicyFloor, RedactionPolicy
from obscura.redaction.privacy_masks import PrivacyMask
from tests import photos

FACE = Target("face", Box(*photos.FACE))
PLATE = Target("plate", Box(40, 420, 80, 440))


def mask(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (512, 512)) -> PrivacyMask:
    """Return a mask with boxes of ``size``."""
    image = Image.new("1", size)
    for x1, y1, x2, y2 in boxes:
        ImageDraw.Draw(image).rectangle((x1, y1, x2 - 1, y2 - 1), fill=1)
    return PrivacyMask.read(photos.encoded(image, "PNG"))


def change(data: bytes, result: bytes) -> np.ndarray:
    """Return the largest change of each pixel, in levels."""
    before, after = decode(data).pixels.astype(int), decode(result).pixels.astype(int)
    return np.asarray(np.abs(before - after).max(axis=2))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_only_blocks_under_the_mask_change(orientation: int) -> None:
    """Of the upright picture, however it is stored; the rest of a JPEG is the same, number for number."""
    data = photos.turned(photos.portrait(), orientation)
    drawn = mask((160, 50, 290, 200), (0, 400, 512, 512))
    result = redact_photo(data, [], RedactionRequest(mask=drawn))
    changed = change(data, result.data)
    under = np.zeros((512, 512), bool)
    # Two pixels more: where a decoder makes colours fine again, it looks across the edge of a block.
    under[46:210, 158:306] = under[398:, :] = True
    assert changed[~under].max() == 0
    assert changed[55:195, 165:285].mean() > 20
    assert result.report.lossless is not None
    # Of 32 x 32 groups of four blocks of light and one of each colour.
    assert result.report.lossless.blocks_touched == 6 * (9 * 10 + 32 * 7)
    report = result.report.as_dict()
    assert (report["hidden"], report["styles"]) == ({"mask": 2}, {"mask": "solid"})
    assert sorted(report["regions"]) == [[0, 400, 512, 512], [160, 48, 304, 208]]


def test_an_empty_mask_hides_nothing() -> None:
    """It is no error, and no pixel is another."""
    data = photos.encoded(photos.portrait(), "PNG")
    result = redact_photo(data, [], RedactionRequest(mask=mask()))
    assert change(data, result.data).max() == 0
    assert result.report.verdict is Verdict.NOTHING_FOUND


def test_a_thin_watermark_on_one_colour_passes_the_check() -> None:
    """Where nearly all of a large area keeps its colour, what differed is gone all the same."""
    image = Image.new("RGB", (800, 400), (8, 8, 10))
    ImageDraw.Draw(image).line((100, 100, 700, 100), fill=(250, 250, 250), width=2)
    data = photos.encoded(image, "JPEG", quality=92)
    drawn = mask((0, 0, 800, 400), size=(800, 400))
    for output in (OutputFormat.SAME, OutputFormat.PNG):
        result = redact_photo(data, [], RedactionRequest(mask=drawn, output=output))
        assert np.ptp(decode(result.data).pixels, axis=(0, 1)).max() <= 8


def test_a_mask_that_does_not_fit_is_refused() -> None:
    """Before anything is painted."""
    with pytest.raises(MaskDoesNotFitError):
        redact_photo(photos.encoded(photos.portrait()), [], RedactionRequest(mask=mask(size=(512, 400))))


def test_zones_spare_what_lies_wholly_inside() -> None:
    """The plate in the zone stays as it is; the face that sticks out of another zone is hidden whole."""
    data = photos.encoded(photos.portrait(), "PNG")
    zones = (Box(30, 410, 90, 450), Box(172, 62, 276, 189))
    result = redact_photo(data, [FACE, PLATE], RedactionRequest(keep=zones))
    changed = change(data, result.data)
    assert changed[420:440, 40:80].max() == 0
    assert changed[180:189, 180:270].mean() > 3
    report = result.report.as_dict()
    assert (report["kept"], report["hidden"]) == (1, {"face": 1})
    assert "kept" not in redact_photo(data, [FACE]).report.as_dict()


def test_the_mask_wins_over_zones() -> None:
    """What is drawn is hidden within a zone, too; the find there still counts as spared."""
    data = photos.encoded(photos.portrait(), "PNG")
    request = RedactionRequest(mask=mask((176, 64, 272, 192)), keep=(Box(170, 60, 280, 195),))
    result = redact_photo(data, [FACE], request)
    assert change(data, result.data)[64:190, 180:270].mean() > 20
    assert (result.report.kept, dict(result.report.hidden)) == (1, {"mask": 1})


def test_zones_cover_no_more_than_the_floor_allows() -> None:
    """Together, each pixel counted once, and what lies outside the picture not at all."""
    data = photos.encoded(photos.portrait(), "PNG")
    quarter = Box(-600, 0, 256, 256)
    redact_photo(data, [], RedactionRequest(keep=(quarter, quarter)))
    with pytest.raises(WeakerThanPolicyError):
        redact_photo(data, [], RedactionRequest(keep=(quarter, Box(256, 0, 260, 4))))
    policy = RedactionPolicy(floor=PolicyFloor(max_keep_share=0.0))
    with pytest.raises(WeakerThanPolicyError):
        redact_photo(data, [], RedactionRequest(policy, keep=(Box(0, 0, 1, 1),)))


def test_a_mask_goes_over_every_frame() -> None:
    """Of an animation each frame is as large as the mask."""
    frames = [Image.new("RGB", (64, 64), (level, 200, 90)) for level in (10, 250)]
    for frame in frames:
        ImageDraw.Draw(frame).line((0, 0, 63, 63), fill=(0, 0, 0), width=9)
    sink = BytesIO()
    frames[0].save(sink, "PNG", save_all=True, append_images=frames[1:], duration=100)
    limits = RedactionRequest().limits
    request = RedactionRequest(mask=mask((0, 0, 32, 32), size=(64, 64)), limits=type(limits)(max_frames=9))
    result = redact_photo(sink.getvalue(), [], request)
    assert dict(result.report.hidden) == {"mask": 2}
    for shown in decode(result.data, request.limits).frames:
        assert np.ptp(shown.pixels[:32, :32], axis=(0, 1)).max() == 0
        assert np.ptp(shown.pixels[32:, 32:], axis=(0, 1)).max() > 80
