"""What a spliced file carries beside its picture: nothing that was not handed in."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from obscura.errors import NotSpliceableError
from obscura.geometry import Box
from obscura.imaging.containers.jpeg_png_webp_gif import jpeg_segments
from obscura.imaging.metadata import exif
from obscura.imaging.metadata.exif import ASCII, Entry, ExifBlock
from obscura.jpeg.splice import splice
from obscura.redaction.regions import Region
from obscura.redaction.styles import Solid
from tests.unit.jpeg.samples import KINDS, made

SECRET = b"SECRET-MARKER-7f3a"
FACE = Region(Box(20.0, 15.0, 85.0, 80.0), Solid())


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def planted(jpeg: bytes) -> bytes:
    """Return a file with the secret in every place for metadata: before, between and behind its segments."""
    bodies = {
        **{0xE0 + n: SECRET for n in range(16)},
        0xFE: SECRET,
    }
    known = [
        (0xE0, b"JFXX\x00\x10" + SECRET),
        (0xE1, b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + SECRET),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + SECRET),
        (0xE2, b"ICC_PROFILE\x00\x01\x01" + SECRET),
        (0xE2, b"MPF\x00" + SECRET),
        (0xED, b"Photoshop 3.0\x008BIM" + SECRET),
    ]
    extra = b"".join(_segment(marker, body) for marker, body in [*bodies.items(), *known])
    scan = jpeg.index(b"\xff\xda")
    whole = jpeg[:2] + extra + jpeg[2:scan] + extra + jpeg[scan:-2] + extra
    return whole + b"\xff\xd9" + SECRET + jpeg + SECRET


@pytest.mark.parametrize(
    "kind", ["pillow 4:2:0", "pillow progressive", "pillow CMYK", "cv2 restarts", "pillow RGB"]
)
def test_nothing_planted_is_left(kind: str) -> None:
    """Text in any segment, comment, trailer or second picture is in no output."""
    source = planted(made(kind))
    assert source.count(SECRET) > 60
    done = splice(source, [FACE]).data
    assert SECRET not in done
    assert done.count(b"\xff\xd8\xff") == 1
    assert done.endswith(b"\xff\xd9")
    markers = {segment.marker for segment in jpeg_segments(done)}
    assert not markers & {0xFE, *range(0xE1, 0xEE), 0xEF}


def test_an_adobe_segment_carries_its_transform_only() -> None:
    """Bytes of an Adobe segment that decoders do not read are not copied."""
    source = made("pillow CMYK")
    at = source.index(b"Adobe")
    dirty = source[:at] + b"AdobeHIDDEN" + source[at + 11 :]
    done = splice(dirty, []).data
    assert b"HIDDEN" not in done
    assert b"Adobe\x00\x64\x00\x00\x00\x00" + source[at + 11 : at + 12] in done


@pytest.mark.parametrize("kind", KINDS)
def test_colours_stay(kind: str) -> None:
    """A splice that hides nothing decodes to the same pixels: colour markers and tables are all there."""
    source = made(kind)
    with Image.open(BytesIO(source)) as before, Image.open(BytesIO(splice(source, []).data)) as after:
        assert before.mode == after.mode
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


def test_a_profile_is_carried_in_parts() -> None:
    """A colour profile longer than a segment comes back whole."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(150_000)
    with Image.open(BytesIO(splice(made("cv2 420"), [FACE], icc=profile).data)) as result:
        assert result.info["icc_profile"] == profile


def test_a_profile_that_does_not_fit_is_refused() -> None:
    """More than 255 parts cannot be numbered."""
    with pytest.raises(NotSpliceableError, match="profile"):
        splice(made("cv2 420"), [], icc=bytes(17_000_000))


def test_the_exif_block_gets_the_stored_orientation() -> None:
    """Whatever orientation the block handed in states, the file gets the one of its stored pixels."""
    block = exif.build(
        ExifBlock(">", {271: Entry(ASCII, 5, b"Nikon"), 274: Entry(exif.SHORT, 1, b"\x00\x01")})
    )
    with Image.open(BytesIO(splice(made("cv2 420"), [FACE], orientation=6, exif=block).data)) as result:
        assert dict(result.getexif()) == {271: "Nikon", 274: 6}
