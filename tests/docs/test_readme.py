"""The README and the pages that it hands over to say what the code does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from PIL import Image

from gateway_service.app import create_app
from obscura import errors
from obscura.settings import Settings
from tests.command_line import obscura

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "docs/reference/api.md").read_text("utf-8")
ERRORS = (ROOT / "docs/reference/errors.md").read_text("utf-8")
ACCESS = (ROOT / "docs/how-to/access.md").read_text("utf-8")
COMMANDS = re.findall(r"^(?:\.venv/bin/)?obscura (\w+)", README + ACCESS, re.MULTILINE)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
MAX_LINES = 120


def test_the_readme_is_one_page() -> None:
    """It shows how to start; everything else has a page under docs."""
    assert len(README.splitlines()) <= MAX_LINES


def test_every_error_code_of_the_table_exists() -> None:
    """No code is documented that no error has, but for those of the framework."""
    table = ERRORS.split("| status | codes |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    known = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ObscuraError)
    }
    assert named - known <= {"not_found"}


def test_every_route_of_the_table_exists() -> None:
    """Each documented call is one of the application's."""
    table = API.split("| call | does |")[1].split("\n\n")[0]
    calls = re.findall(r"`(?:(?:POST|GET|DELETE) )?(/[^`? ]+)", table)
    routes = {*create_app(Settings()).openapi()["paths"], "/docs"}
    plain = {re.sub(r"\{\w+\}", "{}", route) for route in routes}
    assert {re.sub(r"\{\w+\}", "{}", call) for call in calls} <= plain
    assert len(calls) >= 12


def fields_of(path: str) -> set[str]:
    """Return the names of the form fields of a POST."""
    description = create_app(Settings()).openapi()
    schema = description["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])


def test_every_field_of_the_table_exists() -> None:
    """Each documented form field is one of a POST, and no field of /blur is left out."""
    table = API.split("| field | values | default |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    fields = {path: fields_of(path) for path in ("/blur", "/detect", "/redact", "/batches", "/blur_video")}
    assert named <= set().union(*fields.values())
    assert fields["/blur"] - {"file"} <= named


@pytest.mark.end_to_end
@pytest.mark.skipif(which("curl") is None, reason="no curl on this machine")
def test_the_one_call_leaves_a_picture(system_url: str, portrait: Path, tmp_path: Path) -> None:
    """The curl command that asks for an image writes a redacted JPEG of the photo's size."""
    (line,) = re.findall(r"^curl -H \"Accept: image/jpeg\".*$", README, re.MULTILINE)
    assert line in API
    (tmp_path / "photo.jpg").write_bytes(portrait.read_bytes())
    words = shlex.split(line.replace("http://localhost:8000", system_url))
    subprocess.run([*words, "--fail", "--silent"], cwd=tmp_path, check=True, timeout=120)
    with Image.open(tmp_path / "redacted.jpg") as picture, Image.open(portrait) as photo:
        assert picture.format == "JPEG"
        assert picture.size == photo.size
    assert (tmp_path / "redacted.jpg").read_bytes() != portrait.read_bytes()


@pytest.mark.end_to_end
@pytest.mark.parametrize("program", PYTHON)
def test_the_python_of_the_readme_runs(
    program: str, tmp_path: Path, portrait: Path, request: pytest.FixtureRequest
) -> None:
    """Each snippet, run as a program, writes a redacted picture."""
    if "http://localhost:8000" in program:
        program = program.replace("http://localhost:8000", request.getfixturevalue("system_url"))
    (tmp_path / "photo.jpg").write_bytes(portrait.read_bytes())
    (tmp_path / "program.py").write_text(program)
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, timeout=120)
    Image.open(tmp_path / "redacted.jpg").load()


def test_the_readme_has_what_is_run() -> None:
    """The patterns find commands and programs."""
    assert len(COMMANDS) >= 6
    assert len(PYTHON) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    """Each documented command has a help text."""
    done = obscura(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
