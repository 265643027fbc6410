"""Masks and keep-out zones as callers send them: over HTTP, by the client, on the command line."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from obscura.cli.main import app
from obscura.client import Obscura, UserBox
from obscura.errors import RemoteRefusalError
from tests import photos
from tests.end_to_end.test_retention import wait_until_gone
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
FOOT = np.s_[400:512, :]
WHOLE_FACE = [120, 10, 330, 260]


def mask(size: tuple[int, int] = (128, 128)) -> bytes:
    """Return a mask of the lowest part of the portrait, from 400 of 512 pixels on."""
    image = Image.new("L", size)
    ImageDraw.Draw(image).rectangle((0, size[1] * 400 // 512, *size), fill=255)
    return photos.encoded(image, "PNG")


def changed(picture: bytes) -> np.ndarray:
    """Return the largest change of each pixel of the portrait, in levels."""
    before, after = photos.portrait(), Image.open(BytesIO(picture)).convert("RGB")
    return np.asarray(np.abs(np.asarray(before).astype(int) - np.asarray(after)).max(axis=2))


def done(client: httpx.Client, answer: httpx.Response) -> tuple[dict[str, Any], np.ndarray]:
    """Return the result of a task, and what it changed."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if "task_id" in body:
        body = client.get(f"/task_result/{body['task_id']}", params={"wait": 30}).json()
    assert body["status"] == "SUCCESS", body
    return body, changed(base64.b64decode(body["result"]))


@pytest.mark.parametrize("retention", [{}, {"zero_retention": "true"}], ids=["kept", "not kept"])
def test_mask_and_zone(
    client: httpx.Client, system: RunningSystem, portrait: Path, retention: dict[str, str]
) -> None:
    """The foot of the picture is hidden, the face in its zone is not; nothing is left of photo and mask."""
    files = {"file": portrait.read_bytes(), "mask": mask()}
    data = {"keep": json.dumps([WHOLE_FACE]), **retention}
    answer = client.post("/blur_faces", files=files, data=data)
    body, change = done(client, answer)
    assert change[FOOT].mean() > 5
    assert change[:390].max() == 0
    report = body["report"]
    assert (report["kept"], report["hidden"], report["verdict"]) == (1, {"mask": 1}, "clean")
    assert report["regions"] == [[0, 400, 512, 512]]
    assert body["manifest"]["redaction"]["styles"] == {"mask": "solid"}
    assert body["manifest"]["objects"] == []
    assert body["manifest"]["input"]["bytes"] == portrait.stat().st_size
    task = answer.json().get("task_id")
    if task:
        assert client.delete(f"/task_result/{task}").status_code == 204
        assert wait_until_gone(system, [task]) == []


def test_redact_hides_the_mask_as_well(client: httpx.Client, portrait: Path) -> None:
    """Also with the retained photo of a detection."""
    photo = portrait.read_bytes()
    found = client.post("/detect_faces", files={"file": photo}, data={"retain": "60"}).json()["task_id"]
    assert client.get(f"/task_result/{found}", params={"wait": 30}).json()["status"] == "SUCCESS"
    data = {"task_id": found, "boxes": "[[20, 20, 60, 60]]"}
    body, change = done(client, client.post("/redact", files={"mask": mask()}, data=data))
    assert body["report"]["hidden"] == {"face": 1, "mask": 1}
    assert change[FOOT].mean() > 5
    assert change[62:190, 172:276].max() == 0


REFUSED = [
    (b"no picture", "", (415, "unsupported_format")),
    (mask()[:60], "", (422, "truncated_photo")),
    (b"", "", (400, "empty_photo")),
    (mask(), "[[1, 2, 3]]", (422, "invalid_option")),
    (mask(), "{}", (422, "invalid_option")),
    (mask(), json.dumps([[0, 0, 1, 1]] * 201), (422, "invalid_option")),
]
"""Masks and zones that are refused with a photo and with a video alike."""


@pytest.mark.parametrize(
    ("drawn", "keep", "refusal"), [*REFUSED, (mask((128, 90)), "", (422, "mask_does_not_fit"))]
)
def test_refused_at_once(
    client: httpx.Client, portrait: Path, drawn: bytes, keep: str, refusal: tuple[int, str]
) -> None:
    """Each with a stable code, and no task."""
    files = {"file": ("a.jpg", portrait.read_bytes()), "mask": ("m.png", drawn)}
    answer = client.post("/blur", files=files, data={"keep": keep})
    assert (answer.status_code, answer.json()["error"]["code"]) == refusal, answer.text


def test_one_mask_for_a_batch(client: httpx.Client, portrait: Path) -> None:
    """It goes with every photo; one that it does not fit is an entry with its error."""
    wide = photos.encoded(photos.portrait().resize((600, 400)))
    files = [("files", ("a.jpg", photo)) for photo in (portrait.read_bytes(), wide, portrait.read_bytes())]
    sent = [*files, ("mask", ("m.png", mask()))]
    data = {"classes": "face", "keep": json.dumps([WHOLE_FACE])}
    answer = client.post("/batches", files=sent, data=data)
    assert answer.status_code == 200, answer.text
    one, other, three = answer.json()["files"]
    assert other["error"]["code"] == "mask_does_not_fit"
    for entry in (one, three):
        body = client.get(f"/task_result/{entry['task_id']}", params={"wait": 30}).json()
        assert (body["report"]["hidden"], body["report"]["kept"]) == ({"mask": 1}, 1)


def test_what_only_the_worker_sees_fails_the_task(client: httpx.Client) -> None:
    """A mask of the stored picture, which lies on its side; zones over too much of the picture."""
    photo = photos.turned(photos.portrait().crop((0, 0, 300, 512)), 6)
    for files, data, code in (
        ({"file": photo, "mask": mask((512, 300))}, {}, "mask_does_not_fit"),
        ({"file": photo}, {"keep": "[[0, 0, 300, 400]]"}, "weaker_than_policy"),
    ):
        task = client.post("/blur_faces", files=files, data=data).json()["task_id"]
        body = client.get(f"/task_result/{task}", params={"wait": 30}).json()
        assert (body["status"], body["error"]["code"]) == ("FAILURE", code)


def test_the_client_sends_both(system_url: str, portrait: Path, tmp_path: Path) -> None:
    """As bytes or as a file; what does not fit is an error with the server's code."""
    drawn = tmp_path / "mask.png"
    drawn.write_bytes(mask())
    with Obscura(system_url, patience_s=120) as obscura:
        hidden = obscura.blur(portrait, classes=["face"], mask=drawn, keep=[WHOLE_FACE])
        assert (hidden.report["kept"], hidden.report["hidden"]) == (1, {"mask": 1})
        boxed = obscura.redact(portrait, [UserBox(xyxy=(20, 20, 60, 60))], mask=mask())
        assert changed(boxed.picture)[FOOT].mean() > 5
        with pytest.raises(RemoteRefusalError) as refusal:
            obscura.blur(portrait, mask=mask((128, 90)))
    assert refusal.value.remote_code == "mask_does_not_fit"


@pytest.mark.parametrize("is_remote", [False, True], ids=["here", "on a server"])
def test_the_command_line(system_url: str, portrait: Path, tmp_path: Path, *, is_remote: bool) -> None:
    """It hides and spares the same; a file that is no video after all does not stop the photo."""
    drawn, out = tmp_path / "mask.png", tmp_path / "out"
    drawn.write_bytes(mask())
    (tmp_path / "walk.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    zone = ",".join(map(str, WHOLE_FACE))
    server = ["--server", system_url] if is_remote else []
    words = [
        "-o",
        str(out),
        "--classes",
        "face",
        "--workers",
        "1",
        "--json",
        "--mask",
        str(drawn),
        "--keep",
        zone,
    ]
    both = [str(portrait), str(tmp_path / "walk.mp4")]
    run = CliRunner().invoke(app, ["blur", *both, *words, *server])
    assert run.exit_code == 1, run.output
    lines = {Path(line["path"]).suffix: line for line in map(json.loads, run.stdout.splitlines())}
    assert lines[".mp4"]["error"]["code"] == "undecodable_photo"
    report = lines[".jpg"]["report"]
    assert (report["kept"], report["hidden"], report["verdict"]) == (1, {"mask": 1}, "clean")
    change = changed((out / "portrait.jpg").read_bytes())
    assert change[FOOT].mean() > 5
    assert change[:390].max() == 0
