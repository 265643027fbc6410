"""The page's modules: state under node's test runner, types under tsc, size, first load."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
WEB = ROOT / "gateway_service" / "web"
CHECKS = ROOT / "tests" / "page"
MAX_LINES = 300
FIRST_LOAD_BYTES = 150_000
# Of each answer.
HEADER_BYTES = 600
# Loaded when they are wanted, and not with the page.
LATER = {"ja.js", "ko.js", "ru.js", "panorama.js", "zip.js", "sample.jpg", "about.html", "about.css"}


def ran(*command: str) -> None:
    """Run a check of the page; its own words are what a failure says."""
    done = subprocess.run(command, cwd=CHECKS, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_state_of_the_page() -> None:
    """Every unit test of the page's state passes."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    ran("node", "--test", "unit/")


def test_the_types_of_the_page() -> None:
    """What the modules say of their types is true."""
    compiler = CHECKS / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip("TypeScript is not installed: npm ci in tests/page")
    ran(str(compiler))


def test_modules_are_small() -> None:
    """No module has more than 300 lines."""
    long = {
        path.name: lines
        for path in WEB.rglob("*")
        if path.suffix in {".js", ".css", ".html"}
        and (lines := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


def test_the_first_load_is_light() -> None:
    """What a first visit loads, as it is sent, stays under 150 kB."""
    files = [path.read_bytes() for path in WEB.rglob("*") if path.is_file() and path.name not in LATER]
    assert sum(len(gzip.compress(data)) + HEADER_BYTES for data in files) < FIRST_LOAD_BYTES


def test_nothing_comes_from_elsewhere() -> None:
    """No file of the page names an address outside of this server, but for references in comments."""
    for path in WEB.rglob("*"):
        if path.suffix in {".js", ".css", ".html"}:
            lines = [line for line in path.read_text().splitlines() if not re.match(r"\s*(//|\*|/\*)", line)]
            outside = [line for line in lines if re.search(r"https?://(?!localhost)", line)]
            assert not [line for line in outside if "www.w3.org/2000/svg" not in line], path


def test_the_lock_names_no_registry() -> None:
    """The lock of the checks says what is installed by its hash, and from nowhere in particular."""
    assert "resolved" not in (CHECKS / "package-lock.json").read_text()
