"""The manifest and its checksums."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from obscura.detection.weights import (
    card_for_class,
    default_models_dir,
    installed_weights,
    load_manifest,
    verified_path,
)
from obscura.errors import ModelCorruptError, ModelError, ModelMissingError

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = b"not really weights"
GOOD = f"""
[face-test]
class = "face"
version = "1"
licence = "AGPL-3.0-or-later"
input_size = 640
min_confidence = 0.25
max_overlap = 0.5
[face-test.files.onnx]
path = "face.onnx"
sha256 = "{hashlib.sha256(WEIGHTS).hexdigest()}"
"""


def write(folder: Path, text: str, weights: bytes = WEIGHTS) -> Path:
    """Write a models folder and return its manifest."""
    (folder / "face.onnx").write_bytes(weights)
    manifest = folder / "manifest.toml"
    manifest.write_text(text, encoding="utf-8")
    return manifest


def test_a_card_says_what_the_manifest_says(tmp_path: Path) -> None:
    """Fields arrive with their types, and the weights are found below the folder."""
    card = card_for_class(load_manifest(write(tmp_path, GOOD)), "face")
    assert (card.name, card.input_size, card.min_confidence) == ("face-test", 640, 0.25)
    assert verified_path(tmp_path, card.files["onnx"]) == tmp_path / "face.onnx"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param('class = "face"', "", "lacks 'class'", id="missing field"),
        pytest.param("input_size = 640", 'input_size = "640"', "'input_size' must be int", id="wrong type"),
        pytest.param("input_size = 640", "input_size = 0", "must be positive", id="no size"),
        pytest.param("input_size = 640", "input_size = true", "must be int", id="truth is no size"),
        pytest.param("min_confidence = 0.25", "min_confidence = 1.5", "must lie in 0..1", id="out of range"),
        pytest.param('path = "face.onnx"', 'path = "../face.onnx"', "below the models folder", id="escape"),
        pytest.param('sha256 = "', 'sha256 = "x', "hexadecimal", id="no checksum"),
        pytest.param("[face-test]", "[face-test", "cannot be read", id="no TOML"),
        pytest.param("[face-test.files.onnx]", "[face-test.filed.onnx]", "lacks 'files'", id="no files"),
    ],
)
def test_a_malformed_manifest_names_its_fault(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """What is wrong with a manifest is a ModelError that says where."""
    with pytest.raises(ModelError, match=complaint):
        load_manifest(write(tmp_path, GOOD.replace(old, new)))


WITH_PROPOSALS = f"""{GOOD}
[face-test.scout]
name = "scout-test"
version = "2"
row = 1
[face-test.scout.files.onnx]
path = "scout.onnx"
sha256 = "{hashlib.sha256(WEIGHTS).hexdigest()}"
"""


def test_a_card_may_name_a_proposal_network(tmp_path: Path) -> None:
    """Row and files of a proposal network are read, and its files are among `all_files`."""
    card = card_for_class(load_manifest(write(tmp_path, WITH_PROPOSALS)), "face")
    assert card.proposal is not None
    assert (card.proposal.name, card.proposal.version, card.proposal.row) == ("scout-test", "2", 1)
    assert {kind: file.path for kind, file in card.all_files.items()} == {
        "onnx": "face.onnx",
        "scout.onnx": "scout.onnx",
    }
    assert card_for_class(load_manifest(write(tmp_path, GOOD)), "face").proposal is None


def test_a_card_may_name_an_auxiliary_network(tmp_path: Path) -> None:
    """It is read like a proposal network, and its files are among `all_files`."""
    manifest = write(tmp_path, WITH_PROPOSALS.replace(".scout", ".auxiliary"))
    card = card_for_class(load_manifest(manifest), "face")
    assert card.proposal is None
    assert card.auxiliary is not None
    assert card.auxiliary.name == "scout-test"
    assert set(card.all_files) == {"onnx", "auxiliary.onnx"}
    assert card.auxiliary.stands_in


def test_an_auxiliary_network_may_only_supplement(tmp_path: Path) -> None:
    """The manifest says so with its role; another role is refused by name."""
    text = WITH_PROPOSALS.replace(".scout", ".auxiliary").replace("row = 1", 'row = 1\nrole = "supplement"')
    card = card_for_class(load_manifest(write(tmp_path, text)), "face")
    assert card.auxiliary is not None
    assert not card.auxiliary.stands_in
    with pytest.raises(ModelError, match="'role' must be supplement or stand-in, not 'boss'"):
        load_manifest(write(tmp_path, text.replace("supplement", "boss")))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("row = 1", "row = -1", "'row' must be 0 or more", id="negative row"),
        pytest.param("row = 1", "", "lacks 'row'", id="no row"),
        pytest.param(
            "[face-test.scout.files.onnx]", "[face-test.scout.filed.onnx]", "lacks 'files'", id="none"
        ),
    ],
)
def test_a_malformed_proposal_network_names_its_fault(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """Faults in the entry of a proposal network are reported like those of a model."""
    with pytest.raises(ModelError, match=complaint):
        load_manifest(write(tmp_path, WITH_PROPOSALS.replace(old, new)))


def test_an_absent_manifest_is_missing(tmp_path: Path) -> None:
    """No manifest is ModelMissingError with the path that was tried."""
    with pytest.raises(ModelMissingError, match=r"manifest\.toml"):
        load_manifest(tmp_path / "manifest.toml")


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    """One changed byte is ModelCorruptError naming the file and both checksums."""
    card = card_for_class(load_manifest(write(tmp_path, GOOD, WEIGHTS + b"!")), "face")
    with pytest.raises(ModelCorruptError) as caught:
        verified_path(tmp_path, card.files["onnx"])
    for part in ("face.onnx", card.files["onnx"].sha256, hashlib.sha256(WEIGHTS + b"!").hexdigest()):
        assert part in caught.value.message


def test_absent_weights_are_missing(tmp_path: Path) -> None:
    """A manifest entry without its file is ModelMissingError naming the file."""
    card = card_for_class(load_manifest(write(tmp_path, GOOD)), "face")
    (tmp_path / "face.onnx").unlink()
    with pytest.raises(ModelMissingError, match=r"face\.onnx"):
        verified_path(tmp_path, card.files["onnx"])


def test_a_class_nobody_finds_is_missing(tmp_path: Path) -> None:
    """Asking for an unknown class names the known ones."""
    with pytest.raises(ModelMissingError, match=r"'plate'.*knows face"):
        card_for_class(load_manifest(write(tmp_path, GOOD)), "plate")


def test_the_shipped_weights_are_the_manifests() -> None:
    """Every file of the shipped manifest is there and has its checksum."""
    files = list(installed_weights(default_models_dir()))
    assert not [file for file in files if file.problem]
    found = {(file.model, file.kind): file.classes for file in files}
    assert found["face-yolov8n", "onnx"] == ("face",)
    assert found["plate-yolov8n", "pt"] == ("plate",)
    assert found["scout-yolov8", "onnx"] == ("face", "plate")
    assert len(found) == len(files)


def test_what_is_wrong_with_installed_weights_is_said(tmp_path: Path) -> None:
    """A proposal network is listed under its own name and version; a missing file is reported."""
    write(tmp_path, WITH_PROPOSALS)
    (tmp_path / "face.onnx").write_bytes(WEIGHTS)
    face, proposal = installed_weights(tmp_path)
    assert (face.model, face.problem) == ("face-test", "")
    assert proposal[:5] == ("scout-test", "2", ("face",), "onnx", "scout.onnx")
    assert "scout.onnx cannot be read" in proposal.problem
