"""Panoramas: their numbers come through, and no text with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.contract import MetadataPolicy, OutputFormat
from obscura.geometry import Box
from obscura.imaging.encode import encode
from obscura.imaging.formats import PhotoFormat
from obscura.imaging.metadata import gpano
from obscura.imaging.metadata import policy as metadata
from obscura.imaging.metadata.embedded import items
from obscura.imaging.open import decode
from tests.unit.imaging.samples import MARKER, portrait, save

TARGETS = [Target("face", Box(20, 20, 60, 60))]
PHOTO = Image.fromarray(portrait()).resize((256, 128))
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="' + MARKER + b'"><rdf:RDF><rdf:Description '
    b'dc:creator="' + MARKER + b'" GPano:ProjectionType="equirectangular" GPano:FullPanoWidthPixels = "0256" '
    b'GPano:StitchingSoftware="' + MARKER + b'" GPano:CroppedAreaLeftPixels="12x"'
    b"><GPano:PoseHeadingDegrees>271.5</GPano:PoseHeadingDegrees><GPano:FirstPhotoDate>2024</GPano:FirstPhotoDate>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def packet_in(data: bytes) -> bytes:
    """Return the XMP of a JPEG."""
    return next((item.body for item in items(data, PhotoFormat.JPEG) if item.kind == "xmp"), b"")


@pytest.mark.parametrize("policy", list(MetadataPolicy))
def test_the_numbers_of_a_panorama_are_kept(policy: MetadataPolicy) -> None:
    """Known fields with sound values are in the output under every policy, and no others."""
    result = redact_photo(save(PHOTO, "JPEG", xmp=XMP), TARGETS, RedactionRequest(metadata=policy))
    packet = packet_in(result.data)
    assert b'GPano:ProjectionType="equirectangular"' in packet
    assert b'GPano:FullPanoWidthPixels="256"' in packet
    assert b'GPano:PoseHeadingDegrees="271.500"' in packet
    assert packet.count(b"GPano:") == 3
    assert MARKER not in result.data
    assert (result.report.metadata_kept, result.report.metadata_removed) == (("pano",), ("xmp",))


def test_they_go_where_they_do_not_fit() -> None:
    """Other formats hold none, and neither does a picture whose pixels were turned, or one that is flat."""
    exif = Image.Exif()
    exif[274] = 6
    turned = decode(save(PHOTO, "JPEG", xmp=XMP, exif=exif))
    flat = save(PHOTO, "JPEG", xmp=XMP.replace(b"equirectangular", b"flat"))
    assert packet_in(encode(turned).data) == packet_in(redact_photo(flat, TARGETS).data) == b""
    request = RedactionRequest(output=OutputFormat.PNG)
    assert metadata.found(redact_photo(save(PHOTO, "JPEG", xmp=XMP), TARGETS, request).data) == ()


def test_a_packet_is_own_only_as_a_whole() -> None:
    """A packet of ours passes as such and is written again alike; with one more byte it is any XMP."""
    own = gpano.packet([XMP])
    assert gpano.packet([own]) == own
    assert gpano.is_own(own)
    assert not gpano.is_own(own + b" ")
    assert not gpano.is_own(MARKER + own)
    assert not gpano.is_own(b"")


def test_the_numbers_go_along_when_the_picture_is_encoded_again() -> None:
    """A picture that is not spliced carries them as well."""
    again = encode(decode(save(PHOTO, "JPEG", xmp=XMP))).data
    assert b'GPano:FullPanoWidthPixels="256"' in packet_in(again)
    assert metadata.found(again) == ("pano",)


@given(st.binary(max_size=60), st.sampled_from(["ProjectionType", "PoseRollDegrees", "CroppedAreaTopPixels"]))
def test_any_value_gives_a_packet_of_ours_or_none(value: bytes, name: str) -> None:
    """Whatever stands in a field, what is written is a packet that would be written again alike."""
    source = b'GPano:ProjectionType="cylindrical" GPano:' + name.encode() + b'="' + value + b'"'
    assert gpano.is_own(gpano.packet([source]))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b'ProjectionType="equirectangular"', None),
        (b'FullPanoWidthPixels="4000" GPano:CroppedAreaImageWidthPixels="4000"', None),
        (
            (
                b'ProjectionType="equirectangular" GPano:FullPanoWidthPixels="4000" '
                b'GPano:CroppedAreaImageWidthPixels="4000"'
            ),
            True,
        ),
        (
            (
                b'ProjectionType="cylindrical" GPano:FullPanoWidthPixels="4000" '
                b'GPano:CroppedAreaImageWidthPixels="1200"'
            ),
            False,
        ),
        (
            (
                b'ProjectionType="equirectangular" GPano:FullPanoWidthPixels="0" '
                b'GPano:CroppedAreaImageWidthPixels="0"'
            ),
            False,
        ),
    ],
)
def test_the_numbers_say_whether_it_goes_around(fields: bytes, expected: bool | None) -> None:  # noqa: FBT001 - the case itself
    """The full circle does, a part of it does not; without both numbers nobody knows."""
    assert gpano.is_full_circle(gpano.packet([b"GPano:" + fields])) is expected
