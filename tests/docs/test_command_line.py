"""Every command of docs/how-to/command-line.md does what it says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests import photos, videos
from tests.command_line import Done, obscura

PAGE = (Path(__file__).parents[2] / "docs/how-to/command-line.md").read_text("utf-8")
COMMANDS = re.findall(r"^(obscura .*)$", PAGE, re.MULTILINE)
# What is left of each command, by a pattern of it.
RESULTS = {
    r"blur photos/portrait\.jpg$": "photos/portrait_redacted.jpg",
    "-o portrait_hidden": "portrait_hidden.jpg",
    "-o hidden": "hidden",
    "--format coco": "found.json",
    "--format yolo": "labels/portrait.txt",
    "--report": "hidden.csv",
    "<": "portrait_hidden.jpg",
    "walk.mp4": "hidden/walk.mp4",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make the folders that the page speaks of, and `obscura` a command."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "videos").mkdir()
    shutil.copy(photos.PORTRAIT, tmp_path / "photos" / "portrait.jpg")
    Image.new("1", (128, 128)).save(tmp_path / "bonnet.png")
    videos.make(tmp_path / "videos" / "walk.mp4", frames=4)
    return tmp_path


def run(command: str, place: Path) -> Done:
    """Run a line of the page in a shell where it needs one, or several processes, else in this process."""
    if "<" not in command and "--workers" not in command:
        return obscura(*shlex.split(command)[1:], folder=place)
    line = command.replace("obscura", f"{sys.executable} -m obscura.cli", 1)
    return subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, text=True, check=False)


@pytest.mark.end_to_end
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_works(command: str, place: Path, request: pytest.FixtureRequest) -> None:
    """It ends with 0 and leaves what the page says."""
    if "--server" in command:
        command = command.replace("http://localhost:8000", request.getfixturevalue("system_url"))
    done = run(command, place)
    allowed = {0, 1} if "doctor" in command else {0}
    assert done.returncode in allowed, done.stderr
    for pattern, path in RESULTS.items():
        if re.search(pattern, command):
            assert (place / path).exists()


def test_the_page_has_commands() -> None:
    """The pattern finds them."""
    assert len(COMMANDS) >= 9
