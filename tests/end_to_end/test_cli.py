"""The command line, as a person types it."""

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from tests import photos, videos
from tests.command_line import in_a_process, obscura
from tests.end_to_end.test_faceblur import iou, is_hidden

# Where one network says as much as two.
FACES = ("--classes", "face")


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
    done = obscura("blur", folder, "--output", tmp_path / "out", "--workers", 1)
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
    done = in_a_process("blur", folder, "--output", tmp_path / "out", "--workers", 2, *FACES, "--json")
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
        ("blur", "examples", "--output", "build/x", "--style", "none"),
        ("redact", "examples/portrait.jpg", "--box", "1,1,9,9", "--output", "-"),
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
    done = in_a_process("models")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) >= 2
    assert all(line.endswith(" ok") for line in done.stdout.splitlines())


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Make a folder of eight portraits in two folders."""
    root = tmp_path / "many"
    for number in range(8):
        path = root / f"{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photos.encoded(photos.portrait().rotate(number), quality=90))
    return root


def interrupted(many: Path, out: Path) -> tuple[dict[str, Any], int]:
    """Press Ctrl-C once the first photo is done; return what was said of it, and the exit code."""
    words = [
        sys.executable,
        "-m",
        "obscura.cli",
        "blur",
        str(many),
        "-o",
        str(out),
        "--json",
        "--workers",
        "2",
        *FACES,
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=photos.ROOT) as running:
        assert running.stdout is not None
        first = json.loads(running.stdout.readline())
        running.send_signal(signal.SIGINT)
        running.stdout.read()
        return first, running.wait(300)


def test_an_interrupted_run_goes_on_where_it_was(many: Path, tmp_path: Path) -> None:
    """Ctrl-C at half: nothing is written half, --resume does the rest and no photo twice."""
    code, attempt = 0, 0
    # Eight photos are soon done: where this test slept through them, it is tried again.
    while code == 0 and attempt < 10:
        attempt += 1
        out = tmp_path / f"out-{attempt}"
        first, code = interrupted(many, out)
    assert code == 130
    names = {path.name for path in out.rglob("*") if path.is_file()}
    assert ".obscura-journal.jsonl" in names
    assert Path(first["output"]).name in names
    for path in out.rglob("*.jpg"):
        Image.open(path).load()
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    same = ("blur", many, "-o", out, "--json", *FACES)
    done = obscura(*same, "--workers", 1, "--resume", "--report", tmp_path / "r.csv")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.rglob("*") if path.is_file()} == {f"{n}.jpg" for n in range(8)}
    assert len(lines(done.stdout)) == 8 - len(times)
    assert all(path.stat().st_mtime_ns == then for path, then in times.items())
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert all(int(row["faces"]) >= 1 for row in rows)


def test_a_persons_boxes_and_what_they_leave_open(portrait: Path, tmp_path: Path) -> None:
    """`redact` hides the boxes alone; the open face is told, and with --review-fails the exit code is 3."""
    words = ("redact", portrait, "--box", "plate:300,300,400,360", "-o", tmp_path / "out", "--review-fails")
    done = obscura(*words, "--json")
    assert done.returncode == 3, done.stderr
    (line,) = lines(done.stdout)
    assert (line["report"]["verdict"], line["report"]["hidden"]) == ("needs_review", {"plate": 1})
    (face,) = line["report"]["residual"]
    assert face["class"] == "face"
    assert is_hidden(photos.portrait(), Image.open(line["output"]), (305, 305, 395, 355))
    assert not is_hidden(photos.portrait(), Image.open(line["output"]), photos.FACE)
    told = obscura(*words)
    assert f"needs_review: face {face['confidence']:.2f} at " in " ".join(told.stderr.split())


@pytest.mark.parametrize("box", ["1,2,3", "car:1,2,3,4", ":1,2,3,4", "9,9,1,1", "a,b,c,d"])
def test_a_box_that_is_none_is_refused(portrait: Path, tmp_path: Path, box: str) -> None:
    """Nothing is written, and the message says what a box looks like."""
    done = obscura("redact", portrait, "--box", box, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "--box" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_pipe(portrait: Path) -> None:
    """One photo in, the redacted one out, and nothing else on standard output."""
    words = [sys.executable, "-m", "obscura.cli", "blur", "-", "-o", "-", *FACES]
    done = subprocess.run(
        words, input=portrait.read_bytes(), capture_output=True, timeout=300, check=False, cwd=photos.ROOT
    )
    assert done.returncode == 0, done.stderr
    picture = Image.open(io.BytesIO(done.stdout))
    assert is_hidden(photos.portrait(), picture, photos.FACE)
    done = subprocess.run(words, input=b"", capture_output=True, timeout=300, check=False, cwd=photos.ROOT)
    assert done.returncode == 2
    assert done.stdout == b""


def test_a_server_does_the_work(system_url: str, many: Path, tmp_path: Path) -> None:
    """--server gives the same pictures as this process does; what it cannot do is said."""
    (many / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    out = tmp_path / "out"
    done = obscura("blur", many, "-o", out, "--server", system_url, "--json")
    assert done.returncode == 1
    answers = {Path(line["path"]).name: line for line in lines(done.stdout)}
    assert answers.pop("broken.jpg")["error"]["code"] == "truncated_photo"
    assert sorted(answers) == [f"{number}.jpg" for number in range(8)]
    assert is_hidden(photos.portrait(), Image.open(out / "0" / "0.jpg"), photos.FACE)


def test_patterns_and_places(folder: Path, tmp_path: Path) -> None:
    """Quoted patterns are read, same names are told apart, no original is overwritten."""
    out = tmp_path / "out"
    done = obscura("blur", f"{folder}/**/*.png", "-o", out, *FACES)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.iterdir()] == ["car.png"]
    (folder / "street" / "portrait.JPG").write_bytes((folder / "portrait.JPG").read_bytes())
    twice = obscura("blur", folder / "portrait.JPG", folder / "street" / "portrait.JPG", "-o", out)
    assert (twice.returncode, "would both become" in twice.stderr) == (2, True)
    before = (folder / "portrait.JPG").read_bytes()
    own = obscura("blur", folder / "portrait.JPG", "-o", folder, *FACES)
    assert own.returncode == 1
    assert (folder / "portrait.JPG").read_bytes() == before


def test_a_video_among_photos(folder: Path, tmp_path: Path) -> None:
    """A video lies where it lay, with its faces hidden; the report counts its tracks."""
    videos.make(folder / "walk.mp4", frames=6)
    sound = ("--audio", "beep", "--beep", "0.1-0.2,0.3-0.5")
    done = obscura("blur", folder / "walk.mp4", "-o", tmp_path / "out", "--json", *sound)
    assert done.returncode == 0, done.stderr
    (line,) = lines(done.stdout)
    assert line["report"]["tracks"] == {"face": 1}
    assert line["report"]["beeped"] == [[0.1, 0.2], [0.3, 0.5]]
    assert len(videos.upright_frames(tmp_path / "out" / "walk.mp4")) == 6
