"""What a manifest says, and that nobody can change it unseen."""

import hashlib
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from obscura import __version__
from obscura.anonymisation import RedactionRequest, Target, redact_photo
from obscura.contract import (
    DetectedObject,
    DetectionResult,
    ImageInfo,
    JobOptions,
    ModelInfo,
    ObjectClass,
    UserBox,
)
from obscura.detection.weights import default_models_dir, load_manifest
from obscura.errors import InvalidOptionError, InvalidRequestError
from obscura.geometry import Box
from obscura.provenance import (
    Signature,
    Work,
    canonical,
    check,
    manifest_of,
    read,
    read_key,
    signed,
    signing_key,
)
from obscura.settings import Settings
from tests import photos

HEX = "0123456789abcdef" * 4
KEY = SecretStr(f"hmac:{HEX}")
OTHER = SecretStr("hmac:" + "ff" * 32)


@pytest.fixture(scope="module")
def work() -> Work:
    """Hide the portrait's face as a job does."""
    data = photos.turned(photos.portrait(), 6)
    request = RedactionRequest()
    found = DetectedObject.model_validate(
        {"class": ObjectClass.FACE, "xyxy": tuple(map(float, photos.FACE)), "confidence": 0.91}
    )
    card = load_manifest(default_models_dir() / "manifest.toml")["face-yolov8n"]
    part = DetectionResult(
        image=ImageInfo(width=512, height=512),
        model=ModelInfo(
            name=card.name,
            version=card.version,
            engine="onnx",
            weights={kind: file.sha256 for kind, file in card.files.items()},
            min_confidence=card.min_confidence,
        ),
        detections=(found,),
    )
    redacted = redact_photo(data, [Target("face", Box(*found.xyxy))], request)
    options = JobOptions(min_confidence=0.3)
    return Work(data, redacted, (part,), options, request)


@pytest.fixture
def manifest(work: Work) -> dict[str, Any]:
    """Return the signed manifest of the portrait."""
    return signed(manifest_of(work), read_key(KEY))


def test_it_says_what_was_done(work: Work, manifest: dict[str, Any]) -> None:
    """Checksums of both files, the weights, thresholds, boxes, style, metadata, verdict, version."""
    assert manifest["input"] == {"sha256": hashlib.sha256(work.photo).hexdigest(), "bytes": len(work.photo)}
    assert manifest["output"]["sha256"] == hashlib.sha256(work.redacted.data).hexdigest()
    assert manifest["objects"] == [
        {"class": "face", "xyxy": [float(edge) for edge in photos.FACE], "confidence": 0.91}
    ]
    (model,) = manifest["detection"]["models"]
    assert model["name"] == "face-yolov8n"
    assert set(model["weights"]) == {"onnx", "pt"}
    assert manifest["detection"]["min_confidence"] == 0.3
    assert manifest["redaction"]["styles"] == {"face": "soft, one of 8 tones"}
    assert len(manifest["redaction"]["regions"]) == 1
    assert manifest["metadata"]["policy"] == "strip"
    assert manifest["metadata"]["removed"] == ["exif"]
    assert manifest["redaction_verdict"] == "clean"
    assert manifest["review_verdict"] is None
    assert manifest["obscura_version"] == __version__
    assert read(canonical(manifest)) == json.loads(canonical(manifest))


def test_weights_are_those_that_looked(work: Work) -> None:
    """Checksums come along with what was found, so that who hides needs no weights; none are made up."""
    (part,) = work.parts
    passed_on = DetectionResult.model_validate_json(part.model_dump_json(by_alias=True))
    older = part.model_copy(update={"model": ModelInfo(name="m", version="1", engine="onnx")})
    said = manifest_of(Work(work.photo, work.redacted, (passed_on, older), work.options, work.request))
    first, second = said["detection"]["models"]
    assert set(first["weights"]) == {"onnx", "pt"}
    assert (second["weights"], second["min_confidence"]) == ({}, None)


def test_boxes_that_a_person_drew_have_no_confidence(work: Work) -> None:
    """Without detections the boxes are those of the request."""
    drawn = JobOptions(boxes=(UserBox(class_name=ObjectClass.PLATE, xyxy=(1, 2, 30, 40)),))
    said = manifest_of(Work(work.photo, work.redacted, (), drawn, work.request))
    assert said["objects"] == [{"class": "plate", "xyxy": [1.0, 2.0, 30.0, 40.0], "confidence": None}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.0, 2.5, None]}, b'{"a":[1,2.5,null],"b":1}'),
        ({"z": "é"}, '{"z":"é"}'.encode()),
        ([True, -0.0, 1e300 / 1e299], b"[true,0,10]"),
        ({"nested": {"y": 0.1, "x": ()}}, b'{"nested":{"x":[],"y":0.1}}'),
    ],
)
def test_the_canonical_form(value: object, text: bytes) -> None:
    """Sorted names, no spaces, UTF-8, whole numbers without a fraction."""
    assert canonical(value) == text


def test_a_known_signature() -> None:
    """The signature is HMAC-SHA256 of the canonical form, computed here by openssl once."""
    assert signed({"a": 1.0, "signature": "old"}, read_key(KEY))["signature"] == {
        "algorithm": "hmac-sha256",
        "value": "bf069d8cf0741d9eb802d1ab3cc2ef048f8fa26af0224b38411c935fa8aee5a7",
    }


def test_spelling_does_not_matter(manifest: dict[str, Any]) -> None:
    """A manifest that was indented, reordered, or read and written by JavaScript still verifies."""
    indented = json.dumps(dict(reversed(manifest.items())), indent=4).replace(".0,", ",")
    assert check(read(indented.encode()), read_key(KEY)) is Signature.GOOD


def test_every_changed_value_is_seen(manifest: dict[str, Any]) -> None:
    """Whatever single value is changed, the signature is bad."""

    def changed(value: Any) -> list[Any]:
        match value:
            case dict():
                return [{**value, name: new} for name in value for new in changed(value[name])]
            case list() if value:
                return [
                    [*value[:n], new, *value[n + 1 :]] for n in range(len(value)) for new in changed(value[n])
                ]
            case str():
                return [value + "x"]
            case int() | float():
                return [value + 1]
            case _:
                return ["x"]

    forgeries = [
        forged
        for forged in changed(manifest)
        if forged["signature"]["value"] == manifest["signature"]["value"]
    ]
    assert len(forgeries) > 20
    for forged in forgeries:
        if forged["signature"] == manifest["signature"]:
            assert check(forged, read_key(KEY)) is Signature.BAD


@given(st.data())
def test_one_flipped_bit_of_the_file_never_verifies(data: st.DataObject) -> None:
    """It is unreadable, or its signature is bad, or it says the very same."""
    said = signed(EXAMPLE, read_key(KEY))
    raw = bytearray(canonical(said))
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    try:
        forged = read(bytes(raw))
    except InvalidRequestError:
        return
    assert check(forged, read_key(KEY)) is Signature.BAD


@pytest.mark.parametrize(
    ("signer", "reader", "outcome"),
    [
        (KEY, KEY, Signature.GOOD),
        (KEY, OTHER, Signature.BAD),
        (KEY, None, Signature.UNCHECKED),
        (None, KEY, Signature.MISSING),
        (None, None, Signature.UNSIGNED),
    ],
)
def test_who_signed_and_who_reads(
    work: Work, signer: SecretStr | None, reader: SecretStr | None, outcome: Signature
) -> None:
    """A stripped signature is refused by whoever has a key."""
    said = read(canonical(signed(manifest_of(work), read_key(signer))))
    assert check(said, read_key(reader)) is outcome
    assert outcome.is_refused == (outcome in {Signature.BAD, Signature.MISSING})


@pytest.mark.parametrize(
    "text",
    [
        "hmac:",
        "hmac:00",
        "hmac:" + "zz" * 32,
        HEX,
        "ed25519:00",
        "rsa:" + HEX,
        "hmac:" + HEX + "0",
        ":" + HEX,
    ],
)
def test_what_is_no_key_is_said_without_the_key(text: str) -> None:
    """Nothing of the setting stands in the error, nor in what it came from."""
    with pytest.raises(InvalidOptionError) as caught:
        read_key(SecretStr(text))
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.message}"
    assert HEX not in told
    assert "zz" not in told


def test_a_blank_key_is_none() -> None:
    """A compose file passes on an unset variable as an empty one."""
    assert read_key(SecretStr(" ")) is None


def test_the_key_is_in_no_text(
    work: Work, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither settings, nor keys, nor manifests, nor logs show it."""
    monkeypatch.setenv("OBSCURA_MANIFEST_KEY", KEY.get_secret_value())
    settings = Settings()
    key = signing_key(settings.manifest_key)
    with caplog.at_level(logging.DEBUG):
        said = signed(manifest_of(work), key)
    secret = bytes.fromhex(HEX)
    for text in (repr(settings), settings.model_dump_json(), repr(key), json.dumps(said), caplog.text):
        assert HEX not in text
        assert repr(secret)[2:-1] not in text


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"format_version": 2},
        {"time": "yesterday"},
        {"output": {"sha256": "00", "bytes": 1}},
        {"surplus": 1},
        {"signature": {"algorithm": "none", "value": ""}},
        {"signature": {"algorithm": "hmac-sha256", "value": "xyz"}},
        {"objects": [{"class": "face", "xyxy": [0, 0, 1], "confidence": 0.5}]},
        {"objects": [{"class": "face", "xyxy": [0, 0, 1, float("nan")], "confidence": 0.5}]},
    ],
)
def test_a_malformed_manifest_is_refused(manifest: dict[str, Any], change: dict[str, Any]) -> None:
    """With words, before any signature is computed."""
    with pytest.raises(InvalidRequestError):
        read(json.dumps({**manifest, **change}).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"format":"obscura-manifest","format":"obscura-manifest"}',
        b'{"format":"obscura-manifest","format_version":1}',
        b" " * (16 * 1024 * 1024 + 1),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Also an object that says two things under one name, of which two readers may take one each."""
    with pytest.raises(InvalidRequestError):
        read(data)


@pytest.mark.parametrize("place", ["obscura_version", "redaction_verdict"])
def test_numbers_and_letters_that_json_cannot_hold_are_refused(manifest: dict[str, Any], place: str) -> None:
    """Half a surrogate pair and an endless number have no canonical form."""
    text = json.dumps({**manifest, place: "PLACE"})
    for value in ('"\\ud800"', "1e999", "Infinity"):
        with pytest.raises(InvalidRequestError):
            read(text.replace('"PLACE"', value).encode())


def test_ed25519() -> None:
    """The public half verifies alone, cannot sign, and the value is that of RFC 8032 (test 1's key)."""
    pytest.importorskip("cryptography")
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public = SecretStr("ed25519-public:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    said = signed(EXAMPLE, read_key(SecretStr(f"ed25519:{seed}")))
    assert len(said["signature"]["value"]) == 128
    assert check(said, read_key(public)) is Signature.GOOD
    assert check({**said, "time": "2026-01-01T00:00:01Z"}, read_key(public)) is Signature.BAD
    assert check(said, read_key(KEY)) is Signature.BAD
    # Whoever knows the public key must not pass it off as an HMAC secret.
    with_public = signed(EXAMPLE, read_key(SecretStr("hmac:" + public.get_secret_value().split(":")[1])))
    assert check(with_public, read_key(public)) is Signature.BAD
    for refused in (lambda: signed(EXAMPLE, read_key(public)), lambda: signing_key(public)):
        with pytest.raises(InvalidOptionError):
            refused()


def test_ed25519_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said, and nothing of the key."""
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(InvalidOptionError, match="cryptography") as caught:
        read_key(SecretStr(f"ed25519:{HEX}"))
    assert HEX not in f"{caught.value!r} {caught.value.__cause__!r}"


EXAMPLE: dict[str, Any] = {
    "format": "obscura-manifest",
    "format_version": 1,
    "obscura_version": "0.1.0",
    "time": "2026-01-01T00:00:00Z",
    "input": {"sha256": "aa" * 32, "bytes": 1000},
    "output": {"sha256": "bb" * 32, "bytes": 900},
    "detection": {
        "quality": "balanced",
        "min_confidence": None,
        "models": [{"name": "m", "version": "1", "engine": "onnx", "weights": {}, "min_confidence": 0.25}],
    },
    "objects": [{"class": "face", "xyxy": [1.5, 2.0, 30.25, 40.0], "confidence": 0.5}],
    "redaction": {"styles": {"face": "solid"}, "shape": "box", "grow": 1.3, "regions": [[0, 0, 40, 50]]},
    "metadata": {"policy": "strip", "removed": ["exif"], "kept": []},
    "redaction_verdict": "clean",
    "review_verdict": None,
    "signature": None,
}
