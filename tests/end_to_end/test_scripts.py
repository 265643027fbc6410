"""The acceptance scripts in the root, run as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests import photos
from tests.end_to_end.test_faceblur import iou, is_hidden

pytestmark = pytest.mark.end_to_end


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script of the root in a process of its own."""
    words = [sys.executable, str(photos.ROOT / script), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


def test_detection_prints_the_boxes(system_url: str, portrait: Path) -> None:
    """Boxes by name, as JSON, with and without a photo named."""
    for photo in ([], [portrait]):
        done = run("test_detection.py", *photo, "--url", system_url)
        assert done.returncode == 0, done.stderr
        assert iou(tuple(json.loads(done.stdout)["face_1"]["facial_area"]), photos.FACE) > 0.5


def test_blurring_saves_the_picture(system_url: str, portrait: Path, tmp_path: Path) -> None:
    """The file that was named holds the picture with the face hidden."""
    output = tmp_path / "out.jpg"
    done = run("test_blurring.py", portrait, "--url", system_url, "--output", output)
    assert done.returncode == 0, done.stderr
    assert str(output) in done.stdout
    assert is_hidden(photos.portrait(), Image.open(output), photos.FACE)


@pytest.mark.parametrize("script", ["test_detection.py", "test_blurring.py"])
def test_failures_are_said_in_words(system_url: str, tmp_path: Path, script: str) -> None:
    """No photo, no system, no picture: a sentence and a non-zero exit code each."""
    text = tmp_path / "text.jpg"
    text.write_text("no photo")
    for arguments in (["/none.jpg"], ["--url", "http://127.0.0.1:1"], [text, "--url", system_url]):
        done = run(script, *arguments)
        assert done.returncode != 0
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["test_detection.py", "test_blurring.py"])
def test_the_scripts_need_no_test_tools(script: str) -> None:
    """What `make run` installs is enough: neither pytest nor numpy is loaded by the scripts themselves."""
    program = (
        f"import runpy, sys; runpy.run_path({str(photos.ROOT / script)!r}, run_name='x');"
        "print([name for name in ('pytest', 'numpy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=photos.ROOT
    )
    assert done.stdout.strip() == "[]"
