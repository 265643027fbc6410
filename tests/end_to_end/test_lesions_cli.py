"""``obscura lesions`` and ``obscura evaluate --task lesions`` as a person at a terminal uses them."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image

from obscura.contract import RESEARCH_ONLY
from tests import command_line, mammograms
from tests.command_line import Done

MARKER = "ZQXPATIENT"


def obscura(*words: str | Path, code: int = 0) -> Done:
    """Run the command line; it must end with ``code``."""
    done = command_line.obscura(*words)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DICOM file without suffix, a PNG, and something else."""
    place = tmp_path_factory.mktemp("mammograms")
    made = mammograms.phantom(90, 120, 0.1, seed=3, label=True)
    attributes = {"ImagerPixelSpacing": [0.1, 0.1], "PatientName": f"{MARKER}^One", "PatientID": MARKER}
    (place / "IM0001").write_bytes(mammograms.dicom(made.deep(12), 12, **attributes))
    (place / "b.png").write_bytes(mammograms.png(mammograms.phantom(90, 120, 0.1, seed=2).deep(16)))
    (place / "notes").write_text("no picture")
    return place


def test_json_coco_and_csv_say_the_same(folder: Path) -> None:
    """Three listings of the same marks, all with the notice; what is no mammogram is passed over."""
    options = (folder, "--pixel-mm", "0.1")
    lines = [json.loads(line) for line in obscura("lesions", *options, "--json").stdout.splitlines()]
    assert [Path(line["path"]).name for line in lines] == ["IM0001", "b.png"]
    assert {line["notice"] for line in lines} == {RESEARCH_ONLY}
    coco = json.loads(obscura("lesions", *options, "--coco").stdout)
    assert RESEARCH_ONLY in coco["info"]["description"]
    assert [image["file_name"] for image in coco["images"]] == [line["path"] for line in lines]
    rows = list(csv.DictReader(io.StringIO(obscura("lesions", *options, "--csv").stdout)))
    boxes = [[mark["x"], mark["y"], mark["w"], mark["h"]] for line in lines for mark in line["marks"]]
    assert len(boxes) >= 18
    assert [item["bbox"] for item in coco["annotations"]] == boxes
    assert [item["id"] for item in coco["annotations"]] == list(range(1, len(boxes) + 1))
    assert [[int(row[name]) for name in ("x", "y", "w", "h")] for row in rows] == boxes
    assert RESEARCH_ONLY in obscura("lesions", *options).stderr


def test_overlay_and_report(folder: Path, tmp_path: Path) -> None:
    """The overlay is as large as the picture, with red in it; the report names patient, picture and marks."""
    pytest.importorskip("highdicom")
    done = obscura("lesions", folder / "IM0001", "--json", "--overlay", "--sr", "-o", tmp_path)
    line = json.loads(done.stdout)
    assert [Path(file).name for file in line["files"]] == ["IM0001_lesions.png", "IM0001_cad.dcm"]
    shown = np.asarray(Image.open(tmp_path / "IM0001_lesions.png"))
    assert shown.shape == (line["image"]["height"], line["image"]["width"], 3)
    assert (shown == (255, 0, 0)).all(axis=2).any()
    report, source = pydicom.dcmread(tmp_path / "IM0001_cad.dcm"), pydicom.dcmread(folder / "IM0001")
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.50"
    assert report.PatientName == source.PatientName
    assert report.StudyInstanceUID == source.StudyInstanceUID
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "4000"
    assert source.SOPInstanceUID in str(report)
    centres = [item for item in _items(report) if item.get("GraphicType") == "POINT"]
    assert len(centres) == len(line["marks"]) + len(line["clusters"])
    assert RESEARCH_ONLY in str(report)


def _items(item: pydicom.Dataset) -> list[pydicom.Dataset]:
    inner = [below for part in item.get("ContentSequence", []) for below in _items(part)]
    return [item, *inner]


def test_deidentified(folder: Path, tmp_path: Path) -> None:
    """No name of a file or a patient in what is printed or written; labels outside the breast are black."""
    pytest.importorskip("highdicom")
    named = tmp_path / f"{MARKER}.dcm"
    named.write_bytes((folder / "IM0001").read_bytes())
    place = tmp_path / "out"
    done = obscura("lesions", named, "--json", "--overlay", "--sr", "--deidentify", "-o", place)
    assert json.loads(done.stdout)["path"] == "image_0001"
    assert MARKER not in done.stdout + done.stderr
    assert sorted(path.name for path in place.iterdir()) == ["image_0001_cad.dcm", "image_0001_lesions.png"]
    report, source = pydicom.dcmread(place / "image_0001_cad.dcm"), pydicom.dcmread(named)
    assert MARKER not in str(report)
    for uid in (source.StudyInstanceUID, source.SeriesInstanceUID, source.SOPInstanceUID):
        assert uid not in str(report)
    shown = np.asarray(Image.open(place / "image_0001_lesions.png"))
    label = np.s_[45:155, int(900 * 0.82) : int(900 * 0.95)]
    stored = np.asarray(source.pixel_array)
    assert stored[label].max() > 3000
    assert shown[label].max() == 0


def test_one_name_twice(folder: Path, tmp_path: Path) -> None:
    """Files of one name in different folders do not overwrite each other's overlays."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.png").write_bytes((folder / "b.png").read_bytes())
    obscura("lesions", folder / "b.png", tmp_path / "a", "--overlay", "-o", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "b_1_lesions.png",
        "b_2_lesions.png",
    ]


def test_bad_files(tmp_path: Path, folder: Path) -> None:
    """A bad file has an error with a code, and exit code 1; others are still done. Nothing: exit code 2."""
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(bytes(128) + b"DICM" + bytes(400))
    done = obscura("lesions", bad, tmp_path / "absent.dcm", folder / "b.png", "--json", code=1)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    codes = [line.get("error", {}).get("code") for line in lines]
    assert codes == ["unsupported_format", "undecodable_photo", None]
    (tmp_path / "empty").mkdir()
    obscura("lesions", tmp_path / "empty", code=2)
    obscura("lesions", folder, "--json", "--csv", code=2)


def labelled(place: Path) -> Path:
    """Write phantoms with their labels as the evaluation reads them; return the folder."""
    (place / "images").mkdir()
    labels = {}
    for seed in range(3):
        made = mammograms.phantom(90, 120, 0.1, seed=seed)
        (place / "images" / f"{seed}.png").write_bytes(mammograms.png(made.deep(16)))
        objects = [{"x": x - 4, "y": y - 4, "w": 8, "h": 8} for x, y in made.centres]
        labels[str(seed)] = {"file": f"{seed}.png", "objects": objects, "regions": []}
    (place / "annotations.json").write_text(json.dumps(labels))
    return place


def test_evaluate_on_phantoms(tmp_path: Path) -> None:
    """Phantoms' calcifications are found before any false mark; the original algorithm stands beside it."""
    done = obscura(
        "evaluate", "--task", "lesions", "--images", labelled(tmp_path), "--json", "-o", tmp_path / "out"
    )
    answer = json.loads(done.stdout)
    assert (answer["images"], answer["objects"], answer["notice"]) == (3, 30, RESEARCH_ONLY)
    ours, original = answer["results"]
    assert ours["sensitivity_at"]["0.5"]["sensitivity"] >= 0.95
    assert original["name"] == "original"
    assert original["sensitivity_at"]["2"]["sensitivity"] < 0.5
    with Image.open(tmp_path / "out" / "froc.png") as curves:
        assert curves.size[0] > 300
    assert json.loads((tmp_path / "out" / "results.json").read_text())["objects"] == 30


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"a": {"file": "absent.png"}}', '{"a": 1}', '{"a": {}}']
)
def test_labels_that_are_none(tmp_path: Path, content: str) -> None:
    """One clear line and exit code 2."""
    (tmp_path / "annotations.json").write_text(content)
    done = obscura("evaluate", "--task", "lesions", "--images", tmp_path, code=2)
    assert len(done.stderr.strip().splitlines()) <= 3
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_evaluate_on_the_pack(shared_pack: Callable[[str], Path]) -> None:
    """On real digital mammograms: at least what the page says, and far more than the original."""
    place = next(shared_pack("lesions").rglob("ffdm"))
    answer = json.loads(obscura("evaluate", "--task", "lesions", "--images", place, "--json").stdout)
    ours, original = (result["sensitivity_at"] for result in answer["results"])
    assert ours["1"]["sensitivity"] >= 0.79
    assert ours["2"]["sensitivity"] >= 0.86
    assert ours["2"]["sensitivity"] >= original["2"]["sensitivity"] + 0.3


def test_the_original_marks_what_its_document_says() -> None:
    """A small steep bright spot is a mark with its pixels as score; a large, a dim, a thin one is none."""
    from obscura.evaluation.original_lesions import original_marks

    grey = np.full((200, 200), 60, np.uint8)
    cv2.rectangle(grey, (38, 38), (41, 41), 255, -1)
    cv2.rectangle(grey, (90, 20), (170, 60), 255, -1)
    cv2.rectangle(grey, (38, 118), (41, 121), 150, -1)
    cv2.line(grey, (100, 100), (180, 180), 255, 1)
    marks = original_marks(grey)
    assert marks.centres.tolist() == [[39.5, 39.5]]
    assert 11 <= marks.scores[0] <= 300
