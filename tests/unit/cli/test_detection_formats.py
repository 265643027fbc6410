"""Detections in the formats of data sets."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from obscura.cli.detection_formats import DetectionFormat, text_of, yolo_files, yolo_places
from obscura.cli.files import FoundPhoto
from obscura.errors import InvalidOptionError

FACE = {"class": "face", "confidence": 0.9, "xyxy": [10.0, 20.0, 30.0, 60.0]}
PLATE = {"class": "plate", "confidence": 0.5, "xyxy": [0.0, 0.0, 50.0, 10.0]}
LINES: list[dict[str, Any]] = [
    {"path": "a.jpg", "width": 100, "height": 200, "detections": [FACE, PLATE]},
    {"path": "=b.jpg", "width": 10, "height": 10, "detections": []},
    {"path": "c.jpg", "error": {"code": "empty_photo", "message": "empty"}},
]


def test_coco_has_sides_areas_and_categories() -> None:
    """What COCO's tools read: boxes by corner and sides, categories from 1; a photo without any is there."""
    coco = json.loads(text_of(LINES, DetectionFormat.COCO))
    assert [image["file_name"] for image in coco["images"]] == ["a.jpg", "=b.jpg"]
    face, plate = coco["annotations"]
    assert (face["bbox"], face["area"], face["image_id"]) == ([10.0, 20.0, 20.0, 40.0], 800.0, 1)
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert [names[item["category_id"]] for item in (face, plate)] == ["face", "plate"]


def test_csv_has_a_row_for_each_detection() -> None:
    """With its photo and its corners."""
    rows = list(csv.DictReader(io.StringIO(text_of(LINES, DetectionFormat.CSV))))
    assert [(row["path"], row["class"], float(row["x2"])) for row in rows] == [
        ("a.jpg", "face", 30.0),
        ("a.jpg", "plate", 50.0),
    ]


def test_json_is_one_list() -> None:
    """Of the photos that could be looked at."""
    assert json.loads(text_of(LINES, DetectionFormat.JSON)) == LINES[:2]


def test_yolo_has_centres_as_shares(tmp_path: Path) -> None:
    """A file for each photo, empty where nothing is, and the names of the classes."""
    photos = [FoundPhoto(Path(name), Path(name)) for name in ("a.jpg", "=b.jpg", "c.jpg")]
    files = dict(yolo_files(LINES, yolo_places(tmp_path, photos), tmp_path))
    assert files[tmp_path / "a.txt"].splitlines()[0] == "0 0.200000 0.200000 0.200000 0.200000"
    assert files[tmp_path / "=b.txt"] == ""
    assert files[tmp_path / "classes.txt"] == "face\nplate\n"
    assert tmp_path / "c.txt" not in files


@pytest.mark.parametrize("names", [("a.jpg", "a.png"), ("A.jpg", "a.jpg"), ("classes.jpg", "b.jpg")])
def test_yolo_files_that_would_be_one_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    """Before any photo is looked at."""
    with pytest.raises(InvalidOptionError, match="both become"):
        yolo_places(tmp_path, [FoundPhoto(Path(name), Path(name)) for name in names])
