"""The command line, as a person types it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from tests import photos
from tests.end_to_end.test_faceblur import iou, is_hidden


def obscura(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    words = [sys.executable, "-m", "obscura.cli", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd=photos.ROOT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a portrait, a car below it, a broken photo and a text."""
    root = tmp_path / "in"
    (root / "street").mkdir(parents=True)
    (root / "portrait.JPG").write_bytes(photos.turned(photos.portrait(), 6))
    (root / "street" / "car.png").write_bytes(photos.encoded(photos.car()[0], "PNG"))
    (root / "notes.txt").write_text("no photo")
    return root


def lines(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects of an output, one a line."""
    return [json.loads(line) for line in text.splitlines()]


def test_detect_prints_one_object_a_line(folder: Path) -> None:
    """Path, size and detections in pixels of the upright picture; files that are no photos are left out."""
    done = obscura("detect", folder, "--classes", "face,plate", "--json")
    assert done.returncode == 0, done.stderr
    portrait, car = lines(done.stdout)
    assert set(portrait) == {"path", "width", "height", "detections"}
    assert portrait["path"] == str(folder / "portrait.JPG")
    assert (portrait["width"], portrait["height"]) == (512, 512)
    (face,) = [item for item in portrait["detections"] if item["class"] == "face"]
    assert set(face) == {"class", "xyxy", "confidence"}
    assert iou(tuple(face["xyxy"]), photos.FACE) > 0.5
    plate = next(item for item in car["detections"] if item["class"] == "plate")
    assert iou(tuple(plate["xyxy"]), photos.car()[1]) > 0.5


def test_min_confidence_goes_down_as_far_as_asked(folder: Path) -> None:
    """A lower threshold shows more, and everything above the higher one again."""
    few = lines(obscura("detect", folder / "street" / "car.png", "--json").stdout)[0]["detections"]
    many = lines(
        obscura("detect", folder / "street" / "car.png", "--min-confidence", "0.001", "--json").stdout
    )[0]["detections"]
    assert len(many) > len(few)
    assert min(item["confidence"] for item in many) < 0.05
    assert [item["confidence"] for item in many] == sorted(
        (item["confidence"] for item in many), reverse=True
    )


def test_blur_mirrors_the_folder(folder: Path, tmp_path: Path) -> None:
    """Pictures lie where they lay, in their format, with faces and plates hidden; originals are untouched."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = obscura("blur", folder, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = {
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert written == {"portrait.JPG", "street/car.png"}
    shown = ImageOps.exif_transpose(Image.open(tmp_path / "out" / "portrait.JPG"))
    assert is_hidden(photos.portrait(), shown, photos.FACE)
    car, plate = photos.car()
    assert is_hidden(car, Image.open(tmp_path / "out" / "street" / "car.png"), plate)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_broken_photo_is_reported_and_the_rest_is_done(folder: Path, tmp_path: Path) -> None:
    """The line of a broken photo has a code, the exit code is 1, and every other photo is written."""
    (folder / "broken.jpg").write_bytes(photos.PORTRAIT.read_bytes()[:5000])
    done = obscura("blur", folder, "--output", tmp_path / "out", "--json")
    assert done.returncode == 1
    by_name = {Path(line["path"]).name: line for line in lines(done.stdout)}
    assert by_name["broken.jpg"]["error"]["code"] == "truncated_photo"
    assert (tmp_path / "out" / "portrait.JPG").exists()
    assert not (tmp_path / "out" / "broken.jpg").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("detect", "/does/not/exist.jpg"),
        ("detect", "examples", "--classes", "dog"),
        ("detect", "examples", "--min-confidence", "7"),
        ("blur", "examples"),
        ("blur", "examples", "--output", "build/x", "--cells", "40"),
    ],
)
def test_wrong_arguments_end_with_a_message(arguments: tuple[str, ...]) -> None:
    """A non-zero exit code and words, not a traceback."""
    done = obscura(*arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_models_are_listed_with_their_checksums() -> None:
    """Every weights file that comes along is the one of the manifest."""
    done = obscura("models")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) >= 2
    assert all(line.endswith(" ok") for line in done.stdout.splitlines())
