"""``obscura evaluate``, as a person types it."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from obscura.cli.main import main
from tests import photos
from tests.command_line import obscura

# Where `photos.group` has its faces: the portrait's, in its cut-out of 300 px scaled to a tile of 256 px.
LEFT, TOP, RIGHT, BOTTOM = (
    (edge - start) / 300 for edge, start in zip(photos.FACE, (90, 20) * 2, strict=True)
)


def line(box: tuple[float, float, float, float]) -> str:
    """Return the label of a box given in shares of the photo."""
    x1, y1, x2, y2 = box
    return f"0 {(x1 + x2) / 2:.5f} {(y1 + y2) / 2:.5f} {x2 - x1:.5f} {y2 - y1:.5f}\n"


def group_labels(columns: int, rows: int) -> str:
    """Return the labels of a group."""
    text = ""
    for number in range(columns * rows):
        left, right = (1 - RIGHT, 1 - LEFT) if number % 2 else (LEFT, RIGHT)
        column, row = number % columns, number // columns
        x1, x2 = (column + left) / columns, (column + right) / columns
        text += line((x1, (row + TOP) / rows, x2, (row + BOTTOM) / rows))
    return text


Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Make a folder of photos with labels: a portrait, a group below it, one with nothing on it."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    for folder in (images / "groups", labels / "groups"):
        folder.mkdir(parents=True)
    photos.portrait().save(images / "portrait.jpg")
    share = tuple(edge / 512 for edge in photos.FACE)
    (labels / "portrait.txt").write_text(line((share[0], share[1], share[2], share[3])))
    photos.group().save(images / "groups" / "six.png")
    (labels / "groups" / "six.txt").write_text(group_labels(3, 2))
    Image.new("RGB", (320, 240), "olive").save(images / "nothing.webp")
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command in this process: exit code, output, notes."""

    def run(pack: Path, *arguments: object) -> tuple[object, str, str]:
        words = ["evaluate", "--images", pack / "images", "--labels", pack / "labels", *arguments]
        monkeypatch.setattr("sys.argv", ["obscura", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return run


def answered(done: tuple[object, str, str]) -> dict[str, Any]:
    """Return the JSON object of a run that went well."""
    code, output, notes = done
    assert code == 0, notes
    answer: dict[str, Any] = json.loads(output)
    return answer


def test_engines_qualities_and_peers_side_by_side(pack: Path, run: Run) -> None:
    """One run measures ours at several qualities and a peer on the same photos, and draws what it found."""
    (pack / "images" / "broken.jpg").write_bytes(photos.encoded(photos.portrait())[:400])
    (pack / "labels" / "broken.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    ours = ("--engine", "auto", "--quality", "fast", "--quality", "balanced")
    done = run(pack, "--class", "face", *ours, "--engine", "haar", "--output", pack / "out", "--json")
    answer, noted = answered(done), done[2]
    assert [result["name"] for result in answer["results"]] == ["auto fast", "auto balanced", "haar"]
    assert (answer["photos"], answer["labels"]) == (4, 8)
    assert answer["sizes"] == {"side": "height", "labels": {"<16": 0, "16-32": 0, "32-96": 0, ">=96": 8}}
    assert [Path(path).name for path in answer["without_label_file"]] == ["nothing.webp"]
    assert [Path(item["path"]).name for item in answer["unreadable"]] == ["broken.jpg"]
    assert "1 photos have no label file" in " ".join(noted.split())
    assert "its labels count as missed" in " ".join(noted.split())
    for result in answer["results"][:2]:
        # All but the face of the photo that cannot be opened.
        assert result["at_false_per_photo"]["1"]["recall"] == 0.875
        assert 0.8 < result["at_default"]["covered_pixel_recall"] < 1.0
        assert result["misses"]["count"] == 1
        assert result["cpu_ms"] > 0
    pictures = [answer["files"]["curves"], *(result["misses"]["file"] for result in answer["results"])]
    assert len(set(pictures)) == 4
    for file in pictures:
        Image.open(file).verify()
    assert json.loads(Path(answer["files"]["results"]).read_text())["results"] == answer["results"]


def test_ignored_regions_count_neither_way(pack: Path, run: Run) -> None:
    """A face without a label is a false box, and none where its region is to be ignored."""
    six = group_labels(3, 2).splitlines(keepends=True)
    (pack / "labels" / "groups" / "six.txt").write_text("".join(six[1:]))
    (pack / "ignored" / "groups").mkdir(parents=True)
    (pack / "ignored" / "groups" / "six.txt").write_text(six[0])
    common = ("--class", "face", "--quality", "fast", "--json")
    strict = answered(run(pack, *common))
    lenient = answered(run(pack, *common, "--ignore", pack / "ignored"))
    assert (strict["labels"], lenient["labels"]) == (6, 6)
    assert (strict["ignored_regions"], lenient["ignored_regions"]) == (0, 1)
    before, after = (item["results"][0]["at_default"]["false_per_photo"] for item in (strict, lenient))
    assert before - after == pytest.approx(1 / 3, abs=1e-3)


def test_the_table_names_what_it_measured(pack: Path) -> None:
    """Without --json a table goes to standard output, and --limit takes that many photos."""
    folders = ("--images", pack / "images", "--labels", pack / "labels")
    done = obscura("evaluate", *folders, "--class", "face", "--engine", "haar", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert "on 2 photos" in done.stdout
    assert "recall at 0.1 / 1 false box per photo" in done.stdout
    assert "haar" in done.stdout


@pytest.mark.skipif(find_spec("deface") is None, reason="the peer package deface is not installed")
def test_deface_is_measured_like_ours(pack: Path, run: Run) -> None:
    """The peer finds the faces of the group too, and standard output is one JSON object all the same."""
    (result,) = answered(run(pack, "--class", "face", "--engine", "deface", "--json"))["results"]
    assert (result["engine"], result["quality"]) == ("deface", None)
    assert result["at_false_per_photo"]["1"]["recall"] > 0.8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--images", "empty", "--class", "face"), "no photos found"),
        (("--labels", "torn", "--class", "face"), "portrait.txt, line 2"),
        (("--labels", "absent", "--class", "face"), "is no folder"),
        (("--class", "dog"), "dog"),
        (("--class", "face", "--engine", "magic"), "known are auto"),
        (("--class", "plate", "--engine", "deface"), "deface finds faces"),
    ],
)
def test_what_cannot_be_measured_ends_with_2(
    pack: Path, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    """No photos, an unreadable line, an unknown class or engine, a peer for the wrong class: said clearly."""
    (pack / "empty").mkdir()
    (pack / "torn").mkdir()
    (pack / "torn" / "portrait.txt").write_text("0 0.5 0.5 0.1 0.1\n0 0.5\n")
    monkeypatch.chdir(pack)
    code, output, notes = run(pack, *arguments)
    assert code == 2, notes
    assert said in " ".join(notes.split())
    assert not output


@pytest.mark.parametrize(("class_name", "least"), [("face", 0.8), ("plate", 0.7)])
def test_real_photos(
    shared_pack: Callable[[str], Path], tmp_path: Path, run: Run, class_name: str, least: float
) -> None:
    """On real photos ours finds most objects and more than OpenCV's cascade."""
    source = shared_pack(f"{class_name}s")
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for photo in sorted((source / "images" / "val").iterdir())[5::9][:12]:
        shutil.copy(photo, tmp_path / "images")
        labels = source / "labels" / "val" / f"{photo.stem}.txt"
        if labels.exists():
            shutil.copy(labels, tmp_path / "labels")
    engines = ("--engine", "auto", "--engine", "haar", "--quality", "fast")
    answer = answered(run(tmp_path, "--class", class_name, *engines, "--json"))
    ours, haar = (result["at_false_per_photo"]["1"]["recall"] for result in answer["results"])
    assert answer["photos"] == 12
    assert ours >= least
    assert ours > haar
