"""Every snippet of the documents runs as a reader would run it, here or in the test named for its page.

A line is left out only for what it begins with: container engines, installers and other systems' tools.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from PIL import Image

from tests import photos, videos
from tests.certificates import issue
from tests.command_line import Done, obscura
from tests.mammograms import dicom, phantom, png
from tests.system import RunningSystem
from tests.webhooks import Receiver

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(bash|sh|python|yaml|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Pages whose snippets another test runs; it names the page.
ELSEWHERE = {
    "docs/how-to/command-line.md": "tests/docs/test_command_line.py",
    "docs/how-to/generated-clients.md": "tests/docs/test_generated_clients.py",
    "docs/how-to/python-client.md": "tests/end_to_end/test_client.py",
    "docs/how-to/operations.md": "tests/docs/test_runbook.py",
}
# Of the other pages, Python runs there.
PYTHON = {
    "README.md": "tests/docs/test_readme.py",
    "docs/how-to/add-a-class.md": "tests/unit/classes/test_registry.py",
    "docs/how-to/webhooks.md": "tests/end_to_end/test_webhooks.py",
}
# What needs another machine, a registry or minutes; what it starts is tested in other ways.
OUTSIDE = ("docker", "docker-compose", "make", "node", "npx", "pip", "python")
ASSIGNED = re.compile(r"^(\w+=(\"[^\"]*\"|\S*) +)*")


def name_of(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def lines_of(block: str) -> list[str]:
    """Return a block's commands, continued lines joined."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line.split("#")[0].strip()]


def is_outside(line: str) -> bool:
    """Whether a command, after its variables, is another system's; or variables are all there is."""
    words = ASSIGNED.sub("", line + " ").split()
    return not words or words[0] in OUTSIDE


def scripts() -> Iterator[tuple[str, list[str]]]:
    """Yield each shell block that runs here: its page and its lines."""
    for page in PAGES:
        if name_of(page) in ELSEWHERE:
            continue
        for language, block in BLOCK.findall(page.read_text("utf-8")):
            lines = [line for line in lines_of(block) if not is_outside(line)]
            if language in {"bash", "sh"} and lines:
                yield name_of(page), lines


SCRIPTS = list(scripts())


@dataclass(frozen=True)
class Reader:
    """Somebody with the files that the pages speak of, in a folder beside the running system."""

    place: Path
    system: RunningSystem
    hooks: str
    """Where webhooks may go."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the reader's shell."""
        return {
            "OBSCURA_REDIS_URL": (self.system.data_dir / "ledger.url").read_text(),
            "OBSCURA_STORAGE_DIR": str(self.system.data_dir / "photos"),
            "OBSCURA_URL": self.system.url,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def filled(self, script: str, page: str) -> str:
        """Return a script with this system's address and ids in the place of the examples'."""
        if "some-task-id" in script:
            path, file = ("/blur_video", "walk.mp4") if page.endswith("videos.md") else ("/blur", "photo.jpg")
            script = script.replace("some-task-id", self._task(path, self.place / file))
        if "keys revoke ID" in script:
            made = obscura("keys", "create", "a reader", environment=self.environment).stdout.split()[-1]
            script = script.replace("revoke ID", f"revoke {made.split('_')[1]}").replace("KEY", made)
        return (
            script.replace("http://localhost:8000", self.system.url)
            .replace("http://HOST:8000", self.system.url)
            .replace("https://hooks.example.com", self.hooks)
            .replace("/path/to/your/image.jpg", "photo.jpg")
            .replace("/run/secrets", str(self.place))
            .replace(".venv/bin/obscura", "obscura")
            # walk.mp4 lasts 0.4 s here.
            .replace("1.5-3,10-12", "0.1-0.2,0.3-0.4")
            # A peer that is installed apart.
            .replace("--engine deface ", "")
        )

    def _task(self, path: str, file: Path) -> str:
        """Send a file, wait for its end, and return the task's id."""
        with httpx.Client(base_url=self.system.url, timeout=60) as client:
            task = str(client.post(path, files={"file": file.read_bytes()}).json()["task_id"])
            for _ in range(12):
                if client.get(f"/task_result/{task}?wait=20").json()["status"] in {"SUCCESS", "FAILURE"}:
                    break
        return task

    def run(self, script: str) -> Done:
        """Run a script: lines of ours alone in this process, which is quicker; others in a shell."""
        if re.search(r"[<>|$]|^export", script, re.MULTILINE):
            return self._in_shell(script)
        for line in script.splitlines():
            words = shlex.split(line, comments=True)
            if words[0] != "obscura":
                done = self._in_shell(line)
            else:
                done = obscura(*words[1:], folder=self.place, environment=self.environment)
            # The doctor tells of what is slow here by 1.
            if done.returncode not in {0, int(words[:2] == ["obscura", "doctor"])}:
                return done
        done.returncode = 0
        return done

    def _in_shell(self, script: str) -> Done:
        quick = script.replace("curl ", "curl --fail-with-body --silent --show-error ")
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", quick],
            cwd=self.place,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, system: RunningSystem, receiver: Receiver) -> Reader:
    """Lay out the reader's files."""
    place = tmp_path_factory.mktemp("reader")
    for folder in ("photos", "labels", "mammograms"):
        (place / folder).mkdir()
    for name in ("photo.jpg", "panorama.jpg", "one.jpg", "two.jpg", "photos/1.jpg"):
        shutil.copy(photos.PORTRAIT, place / name)
    (place / "labels/1.txt").write_text("0 0.44 0.25 0.21 0.25\n")
    Image.new("1", (128, 128)).save(place / "bonnet.png")
    videos.make(place / "walk.mp4", frames=4)
    made = phantom(60, 80)
    (place / "1.dcm").write_bytes(dicom(made.deep(12), 12))
    for name in ("2.png", "mammograms/2.png"):
        (place / name).write_bytes(png(made.eight()))
    labels = {"2": {"file": "2.png", "objects": [{"x": 90, "y": 90, "w": 9, "h": 9}], "regions": []}}
    (place / "mammograms/annotations.json").write_text(json.dumps(labels))
    issued = issue()
    (place / "c2pa-chain.pem").write_text(issued.chain)
    (place / "c2pa-key.pem").write_text(issued.key)
    return Reader(place, system, receiver.origin)


@pytest.mark.end_to_end
@pytest.mark.skipif(not all(map(shutil.which, ("curl", "openssl"))), reason="no curl or no openssl")
@pytest.mark.parametrize(
    ("page", "lines"), SCRIPTS, ids=[f"{page}: {lines[0][:20]}" for page, lines in SCRIPTS]
)
def test_a_script_of_a_page_runs(page: str, lines: list[str], reader: Reader) -> None:
    """It ends with 0."""
    done = reader.run(reader.filled("\n".join(lines), page))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_snippet_is_run_somewhere() -> None:
    """A page's blocks run here, or in a test that names the page; YAML can be read."""
    for name, test in {**ELSEWHERE, **PYTHON}.items():
        assert name in (ROOT / test).read_text("utf-8"), test
    for page in PAGES:
        for language, block in BLOCK.findall(page.read_text("utf-8")):
            if language == "python":
                assert name_of(page) in {**ELSEWHERE, **PYTHON}
            if language == "yaml":
                assert yaml.safe_load(block)
            # Transcripts are of pages outside docs.
            assert language != "console"
    assert len(SCRIPTS) >= 15
