"""``obscura blur --manifest`` and ``obscura verify``, as a person types them."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from obscura.provenance import canonical
from tests import command_line, photos
from tests.command_line import Done
from tests.end_to_end.test_faceblur import work

HEX = "5eed" * 16
KEY = f"hmac:{HEX}"
OTHER = "hmac:" + "0" * 64


def checked(done: Done) -> Done:
    """Return what a command came to, which never shows the key nor a stack."""
    assert HEX not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def obscura(*arguments: object, key: str | None = None) -> Done:
    """Run a command with the key in its environment."""
    return checked(command_line.obscura(*arguments, environment={"OBSCURA_MANIFEST_KEY": key}))


@pytest.fixture(scope="module")
def redacted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Blur the portrait; return the picture and its manifest."""
    folder = tmp_path_factory.mktemp("out")
    words = ("blur", photos.PORTRAIT, "--output", folder, "--classes", "face", "--manifest")
    done = checked(command_line.in_a_process(*words, environment={"OBSCURA_MANIFEST_KEY": KEY}))
    assert done.returncode == 0, done.stderr
    return folder / "portrait.jpg", folder / "portrait.jpg.manifest.json"


def test_the_manifest_lies_beside_the_picture(redacted: tuple[Path, Path]) -> None:
    """It is canonical, names the file as it is on disk, and states both verdicts."""
    picture, manifest = redacted
    said = json.loads(manifest.read_bytes())
    assert manifest.read_bytes() == canonical(said) + b"\n"
    assert said["input"]["sha256"] == hashlib.sha256(photos.PORTRAIT.read_bytes()).hexdigest()
    assert said["output"]["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert said["redaction_verdict"] == said["review_verdict"] == "clean"
    assert [item["class"] for item in said["objects"]] == ["face"]


@pytest.mark.parametrize(
    ("given", "key", "code", "words"),
    [
        ((), KEY, 0, "signature: good"),
        (("--key", KEY), None, 0, "signature: good"),
        (("--key", KEY), OTHER, 0, "signature: good"),
        ((), None, 0, "signature: NOT CHECKED"),
        ((), OTHER, 1, "signature: BAD"),
        (("--key", OTHER), KEY, 1, "signature: BAD"),
    ],
)
def test_verify_says_whose_it_is(
    redacted: tuple[Path, Path], given: tuple[str, ...], key: str | None, code: int, words: str
) -> None:
    """A key that is given goes before the one that is set; without any, so much is said."""
    done = obscura("verify", *redacted, *given, key=key)
    assert done.returncode == code, done.stderr
    assert words in done.stdout
    assert "picture: matches" in done.stdout
    assert "object: face" in done.stdout


def test_verify_as_json(redacted: tuple[Path, Path]) -> None:
    """One object with the outcome and the manifest."""
    (line,) = obscura("verify", *redacted, "--json", key=KEY).stdout.splitlines()
    told: dict[str, Any] = json.loads(line)
    assert (told["matches"], told["photo"], told["signature"]) == (True, "matches", "good")
    assert told["manifest"] == json.loads(redacted[1].read_bytes())


def test_one_flipped_bit_in_the_picture_fails(redacted: tuple[Path, Path], tmp_path: Path) -> None:
    """Whatever the signature says."""
    data = bytearray(redacted[0].read_bytes())
    data[len(data) // 2] ^= 1
    forged = tmp_path / "forged.jpg"
    forged.write_bytes(data)
    done = obscura("verify", forged, redacted[1], key=KEY)
    assert done.returncode == 1
    assert "picture: DIFFERS" in done.stdout


def test_a_changed_or_stripped_manifest_fails(redacted: tuple[Path, Path], tmp_path: Path) -> None:
    """Also one that steers terminals: what it says is shown, its escapes are not."""
    said = json.loads(redacted[1].read_bytes())
    forged = tmp_path / "forged.json"
    for change, words in (
        ({"redaction_verdict": "\x1b[2Jclean"}, "signature: BAD"),
        ({"signature": None}, "signature: MISSING"),
    ):
        forged.write_text(json.dumps(said | change))
        done = obscura("verify", redacted[0], forged, key=KEY)
        assert done.returncode == 1
        assert words in done.stdout
        assert "\x1b" not in done.stdout


def test_unusable_input_is_two(redacted: tuple[Path, Path], tmp_path: Path) -> None:
    """Absent files, what is no manifest, what is no key."""
    picture, manifest = redacted
    for words, key in (
        ((tmp_path / "absent.jpg", manifest), None),
        ((picture, tmp_path / "absent.json"), None),
        ((picture, picture), None),
        ((picture, manifest), f"rsa:{HEX}"),
        ((picture, manifest, "--key", ""), KEY),
    ):
        done = obscura("verify", *words, key=key)
        assert done.returncode == 2
        assert done.stderr.startswith("obscura: ")


def test_a_bad_key_stops_the_work_before_it_begins(tmp_path: Path) -> None:
    """No picture is written whose manifest could not be signed."""
    words = ("blur", photos.PORTRAIT, "--output", tmp_path / "out", "--manifest")
    assert obscura(*words, key=f"hmac:x{HEX}").returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.end_to_end
def test_a_job_answers_with_its_manifest(client: httpx.Client, tmp_path: Path) -> None:
    """The picture of a task belongs to the manifest in its report, which no key signed here."""
    body = work(client, "/blur_faces", photos.PORTRAIT.read_bytes())
    picture, manifest = tmp_path / "picture.jpg", tmp_path / "manifest.json"
    picture.write_bytes(base64.b64decode(body["result"]))
    manifest.write_text(json.dumps(body["manifest"]))
    done = obscura("verify", picture, manifest)
    assert done.returncode == 0, done.stderr
    assert "picture: matches" in done.stdout
    assert "signature: none" in done.stdout
    assert obscura("verify", photos.PORTRAIT, manifest).returncode == 1
