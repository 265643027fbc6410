"""A class of another distribution and the built-in ones over HTTP: asked for by name, told everywhere."""

import base64
import io
import time
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests import videos
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
    assert not _magenta(after).any()
    assert (after[100:] == before[100:]).all()
    # Workers write their counters once a second.
    deadline = time.monotonic() + 30
    while 'obscura_detections_total{class="disc"}' not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_class_is_followed_through_a_video(client: httpx.Client, tmp_path: Path) -> None:
    """One track, hidden in every frame: also in the one between two in which it is not to be seen."""
    before, after = tmp_path / "before.mp4", tmp_path / "after.mp4"
    room = np.full((240, 320, 3), (120, 130, 140), np.uint8)
    room[:, ::16] = 80
    with av.open(str(before), "w") as output:
        video = output.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        for number in range(12):
            frame = room if number == 6 else with_disc(room, (60 + 16 * number, 120), 25)
            output.mux(video.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        output.mux(video.encode(None))
    with before.open("rb") as file:
        sent = client.post("/blur_video", files={"file": file}, data={"classes": "disc"})
    task = f"/task_result/{sent.json()['task_id']}"
    assert client.get(f"{task}/events").status_code == 200
    answer = client.get(task).json()
    assert (answer["status"], answer["report"]["tracks"]) == ("SUCCESS", {"disc": 1})
    after.write_bytes(client.get(f"{task}/video").content)
    frames = [np.asarray(frame, int) for frame in videos.upright_frames(after)]
    assert len(frames) == 12
    for number, frame in enumerate(frames):
        assert not _magenta(frame).any(), number
        assert np.abs(frame - room)[:60].mean() < 3
    assert np.abs(frames[6] - room)[110:130, 144].mean() > 20


def _magenta(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a picture has the colour of a disc."""
    return np.asarray((pixels[..., 0] > 180) & (pixels[..., 1] < 100) & (pixels[..., 2] > 180))


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
