"""Content Credentials: written by us, read by the C2PA project's own library."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from obscura.anonymisation import RedactedPhoto, RedactionRequest, Target, redact_photo
from obscura.contract import ModelInfo
from obscura.errors import CredentialsUnavailableError, ProcessingFailedError
from obscura.geometry import Box
from obscura.imaging.open import decode
from obscura.imaging.validation import ValidationLimits
from obscura.provenance import Credentials
from obscura.provenance.claim import PARAMETER
from obscura.settings import Settings
from tests.certificates import Issued, issue
from tests.unit.imaging.samples import FACE, portrait, save

pytest.importorskip("c2pa")
MODEL = ModelInfo(name="face-test", version="2026.1", engine="onnx")


@pytest.fixture(scope="module")
def issued() -> Issued:
    """Return a signer that only these tests trust."""
    return issue()


def settings(issued: Issued, key: str | None = None) -> Settings:
    """Return settings with a certificate and a key."""
    return Settings(c2pa_certificate=issued.chain, c2pa_key=SecretStr(key or issued.key))


def redacted(file_format: str) -> RedactedPhoto:
    """Return a portrait with its face hidden."""
    data = save(Image.fromarray(portrait()), file_format)
    return redact_photo(data, [Target("face", Box(*FACE))], RedactionRequest())


def embedded(issued: Issued, photo: RedactedPhoto) -> RedactedPhoto:
    """Return a picture with Content Credentials."""
    return Credentials(settings(issued)).embed(photo, [MODEL], ValidationLimits())


def claim_in(issued: Issued, photo: RedactedPhoto) -> tuple[str, dict[str, Any]]:
    """Return what the library's reader says of a picture: its state, and the active manifest."""
    from obscura.provenance.c2pa import read

    said = read(photo.data, photo.media_type, issued.authority)
    return said["validation_state"], said["manifests"][said["active_manifest"]]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_format_that_is_written_carries_them(issued: Issued, file_format: str) -> None:
    """The reader trusts the claim, which tells what was hidden, where and by which model; pixels stay."""
    plain = redacted(file_format)
    signed = embedded(issued, plain)
    state, claim = claim_in(issued, signed)
    assert state == "Trusted"
    opened, edited = claim["assertions"][0]["data"]["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["parameters"][PARAMETER]["hidden"] == {"face": 1}
    assert edited["parameters"][PARAMETER]["models"] == ["face-test 2026.1"]
    (change,) = edited["changes"]
    x1, y1, x2, y2 = plain.report.regions[0]
    shape = change["region"][0]["shape"]
    assert (shape["origin"], shape["width"], shape["height"]) == ({"x": x1, "y": y1}, x2 - x1, y2 - y1)
    assert "thumbnail" not in claim
    assert np.array_equal(decode(signed.data).pixels, decode(plain.data).pixels)
    assert signed.report.as_dict()["content_credentials"] is True
    assert "content_credentials" not in plain.report.as_dict()


def test_a_jpeg_is_the_same_file_with_segments_put_in(issued: Issued) -> None:
    """Tables, frame and scans, and so all coefficients, are byte for byte those of the redaction."""
    plain = redacted("JPEG")
    signed = embedded(issued, plain).data
    assert without_app11(signed) == plain.data


def without_app11(jpeg: bytes) -> bytes:
    """Return a JPEG without the segments that hold JUMBF boxes."""
    kept, place = [jpeg[:2]], 2
    while jpeg[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if jpeg[place + 1] != 0xEB:
            kept.append(jpeg[place:end])
        place = end
    return b"".join([*kept, jpeg[place:]])


def test_a_changed_picture_is_found_out(issued: Issued) -> None:
    """One bit of the picture's data changed: the reader calls it invalid."""
    signed = embedded(issued, redacted("PNG"))
    data = bytearray(signed.data)
    data[-30] ^= 1
    state, _ = claim_in(issued, replace(signed, data=bytes(data)))
    assert state == "Invalid"


def test_without_the_extra_the_error_names_it(issued: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else of the system needs the library."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.delitem(sys.modules, "obscura.provenance.c2pa", raising=False)
    with pytest.raises(CredentialsUnavailableError, match=r"obscura-photo\[c2pa\]"):
        embedded(issued, redacted("PNG"))


def test_without_a_certificate_the_error_names_the_settings() -> None:
    """Asked for, and nobody who could sign."""
    with pytest.raises(CredentialsUnavailableError, match="OBSCURA_C2PA_CERTIFICATE_FILE"):
        Credentials(Settings()).embed(redacted("PNG"), [], ValidationLimits())


@pytest.mark.parametrize("kind", ["no key", "a stranger's key"])
def test_a_key_of_no_use_comes_out_at_the_start(issued: Issued, kind: str) -> None:
    """A worker that could not sign does not start, and nothing of the key is in the message."""
    key = "secret words" if kind == "no key" else issue().key
    with pytest.raises(CredentialsUnavailableError) as caught:
        Credentials(settings(issued, key)).require_usable()
    assert key.split("\n")[-2 if "\n" in key else 0] not in caught.value.message
    Credentials(settings(issued)).require_usable()


def test_what_the_library_refuses_is_an_error_of_ours(issued: Issued) -> None:
    """A picture of a format that it does not know fails, and is not handed out unsigned."""
    broken = replace(redacted("PNG"), data=b"no picture", media_type="image/x-none")
    with pytest.raises(ProcessingFailedError):
        embedded(issued, broken)
