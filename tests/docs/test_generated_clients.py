"""docs/how-to/generated-clients.md: a client generated from the description hides a face."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.end_to_end.test_faceblur import is_hidden
from tests.photos import FACE, PORTRAIT, portrait

pytestmark = pytest.mark.end_to_end
PAGE = (Path(__file__).parents[2] / "docs/how-to/generated-clients.md").read_text("utf-8")
ADDRESS = "http://localhost:8000"
# What a generator calls what the description gives no name.
NAMELESS = re.compile(r"_body|_type_\d|_response_|_item|dialect")


def snippet(language: str) -> str:
    """Return the page's first snippet of a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def folder(system_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client as the page says, and lay a photo beside it."""
    folder = tmp_path_factory.mktemp("generated")
    # The generator tidies up with a linter of its own, which is no part of this.
    (folder / "client.yaml").write_text(snippet("yaml") + "post_hooks: []\n")
    command = shlex.split(snippet("bash").replace(ADDRESS, system_url))
    assert command[0] == "openapi-python-client"
    words = [sys.executable, "-m", "openapi_python_client", *command[1:]]
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    assert not re.search(r"WARNING parsing \w+ /(?!blur/)", done.stdout), done.stdout
    (folder / "photo.jpg").write_bytes(PORTRAIT.read_bytes())
    return folder


def test_calls_and_classes_have_names(folder: Path) -> None:
    """Calls stand in their groups under the names of the description; no class is named after its place."""
    calls = {path.relative_to(folder / "photo_api/api") for path in folder.glob("photo_api/api/*/*.py")}
    wanted = ["blur_photo", "blur_faces", "blur_plates", "detect_photo", "detect_faces", "redact_photo"]
    wanted = [f"photos/{name}.py" for name in wanted] + ["tasks/get_task.py", "tasks/erase_task.py"]
    assert {Path(name) for name in [*wanted, "batches/create_batch.py", "videos/blur_video.py"]} <= calls
    classes = [path.stem for path in folder.glob("photo_api/models/*.py")]
    assert len(classes) > 50
    assert [name for name in classes if NAMELESS.search(name)] == []


def test_it_hides_a_face(folder: Path, system_url: str) -> None:
    """The program of the page, run as it stands, writes the photo with its face hidden."""
    program = snippet("python")
    assert ADDRESS in program
    (folder / "program.py").write_text(program.replace(ADDRESS, system_url))
    subprocess.run([sys.executable, "program.py"], cwd=folder, check=True, timeout=120)
    assert is_hidden(portrait(), Image.open(folder / "redacted.jpg"), FACE)
