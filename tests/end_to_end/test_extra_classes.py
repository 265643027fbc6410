"""A class of another distribution and the built-in ones over HTTP: asked for by name, told everywhere."""

import base64
import io
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.gateways import RunningGateway
from tests.made_up_class import with_disc
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def photo(portrait: Path) -> bytes:
    """The portrait with a magenta disc, as PNG."""
    with Image.open(portrait) as picture:
        pixels = with_disc(np.asarray(picture.convert("RGB")), (60, 60), 25)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def done(client: httpx.Client, path: str, photo: bytes, **fields: str) -> dict[str, Any]:
    """Return the finished answer for a photo."""
    sent = client.post(path, files={"file": photo}, data=fields)
    assert sent.status_code == 200, sent.text
    answer: dict[str, Any] = client.get(f"/task_result/{sent.json()['task_id']}?wait=30").json()
    assert answer["status"] == "SUCCESS", answer
    return answer


def test_a_server_offers_what_its_workers_detect(client: httpx.Client) -> None:
    """/capabilities names the classes with their titles, and OpenAPI knows them."""
    known = client.get("/capabilities").json()
    assert {"face", "plate", "disc"} <= set(known["options"]["classes"])
    assert known["class_titles"]["disc"] == "Magenta discs"
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert "disc" in schemas["ObjectClass"]["enum"]


def test_a_class_is_detected_where_it_is_asked_for(client: httpx.Client, photo: bytes) -> None:
    """With names and boxes as faces have them; a request that does not ask gets faces and plates."""
    found = done(client, "/detect", photo, classes="disc,face")
    (box,) = found["result"]["disc_1"].values()
    assert box == [35, 35, 86, 86]
    assert "face_1" in found["result"]
    assert [model["name"] for model in found["models"]] == ["obscura-disc", "face-yolov8n"]
    assert "disc_1" not in done(client, "/detect", photo)["result"]


def test_a_class_is_hidden_and_counted(client: httpx.Client, photo: bytes) -> None:
    """The report counts it, the residual check looks for it, the rest of the picture is as it was."""
    answer = done(client, "/blur", photo, classes="disc", residual_check="full")
    report = answer["report"]
    assert (report["hidden"], report["verdict"]) == ({"disc": 1}, "clean")
    before = np.asarray(Image.open(io.BytesIO(photo)))
    after = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["result"]))).convert("RGB"))
    assert not ((after[..., 0] > 220) & (after[..., 1] < 40) & (after[..., 2] > 220)).any()
    assert (after[100:] == before[100:]).all()
    # Workers write their counters once a second.
    deadline = time.monotonic() + 30
    while 'obscura_detections_total{class="disc"}' not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_box_of_a_class_can_be_given(client: httpx.Client, photo: bytes) -> None:
    """/redact hides what a person drew, whatever class it has."""
    boxes = '[{"class": "disc", "xyxy": [30, 30, 90, 90]}]'
    assert done(client, "/redact", photo, boxes=boxes)["report"]["hidden"] == {"disc": 1}


def test_a_class_that_no_worker_detects_is_refused(
    system: RunningSystem, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with a stable code, naming what the workers lack: never accepted and left out."""
    lacking = "[obscura.classes]\nghost = ghost:CLASS\n"
    information = tmp_path / "ghost-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: ghost\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(lacking)
    (tmp_path / "ghost.py").write_text(
        "from obscura.contract import ExtraClass\nCLASS = ExtraClass("
        '"ghost", "Ghosts", "ghost:open", packages=("no_such_package",), extra="obscura-ghost")\n'
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with RunningGateway.beside(system, tmp_path) as gateway:
        for path in ("/detect", "/blur", "/batches"):
            name = "files" if path == "/batches" else "file"
            sent = httpx.post(
                gateway.url + path, files={name: photo}, data={"classes": "face,ghost"}, timeout=60
            )
            assert sent.status_code == 503, sent.text
            assert sent.json()["error"]["code"] == "class_unavailable"
            assert "pip install 'obscura-ghost'" in sent.json()["error"]["message"]
        assert "ghost" not in httpx.get(f"{gateway.url}/capabilities").json()["options"]["classes"]
        unknown = httpx.post(f"{gateway.url}/detect", files={"file": photo}, data={"classes": "goast"})
        assert unknown.status_code == 422
