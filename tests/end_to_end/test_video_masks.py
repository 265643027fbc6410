"""Masks and zones over videos, as callers send them: over HTTP, by the client, on the command line."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from obscura.cli.main import app
from obscura.client import AsyncObscura
from tests import photos, videos
from tests.end_to_end.test_masks import REFUSED
from tests.end_to_end.test_masks import mask as photo_mask
from tests.end_to_end.test_retention import wait_until_gone
from tests.end_to_end.test_videos import ended, task_of, until
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
FRAMES = 4
# Over the shoulders of whoever passes by; a drawing of half the size says so.
STRIP = [0, 128, 320, 160]
# All places of the face, and a little around them: a fifth of the picture.
WHOLE_WAY = [27, 41, 213, 126]
HEAD = b"\0\0\0\x18ftypisom"


def mask(size: tuple[int, int] = (160, 120)) -> bytes:
    """Return a mask of `STRIP`."""
    image = Image.new("L", size)
    image.paste(255, (0, size[1] * 128 // 240, size[0], size[1] * 160 // 240))
    return photos.encoded(image, "PNG")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait passing by, in a kind of file whose readers go on behind its end."""
    return videos.make(tmp_path_factory.mktemp("clips") / "clip.mkv", frames=FRAMES)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One frame."""
    return videos.make(tmp_path_factory.mktemp("clips") / "short.mp4", frames=1, sound=False)


def assert_masked_and_spared(source: Path, result: Path) -> None:
    """The strip is flat in every frame, and the face in its zone is as it was."""
    before, after = videos.upright_frames(source), videos.upright_frames(result)
    assert len(before) == len(after) > 0
    for number, pair in enumerate(zip(before, after, strict=True)):
        strips = [np.asarray(item.convert("L").crop((4, 132, 316, 156)), np.float32) for item in pair]
        assert strips[1].std() < 6 < strips[0].std(), number
        face = videos.face_at(number / len(before))
        faces = [np.asarray(item.crop(face), np.float32) for item in pair]
        assert np.abs(faces[0] - faces[1]).mean() < 5, number


def test_mask_and_zone(client: httpx.Client, system: RunningSystem, clip: Path, tmp_path: Path) -> None:
    """Each in every frame; the sound is as it was; nothing is left of video and mask."""
    files = {"file": clip.read_bytes(), "mask": mask()}
    data = {"classes": "face", "keep": json.dumps([WHOLE_WAY])}
    task = task_of(client.post("/blur_video", files=files, data=data))
    answer = ended(client, task)
    assert answer["status"] == "SUCCESS", answer
    report = answer["report"]
    assert (report["kept"], report["tracks"], report["hidden_frames"]) == (FRAMES, {}, FRAMES)
    assert (report["regions"], report["verdict"], report["warnings"]) == ([STRIP], "clean", [])
    hidden = tmp_path / f"hidden{clip.suffix}"
    hidden.write_bytes(client.get(f"{task}/video").content)
    assert_masked_and_spared(clip, hidden)
    assert videos.sound_packets(clip) == videos.sound_packets(hidden)
    name = task.rpartition("/")[2]
    photo = system.data_dir / "photos" / "photos" / name
    until(lambda: not photo.exists(), "the erasure of what was handed in")
    assert client.delete(task).status_code == 204
    assert wait_until_gone(system, [name]) == []


@pytest.mark.parametrize(("drawn", "keep", "refusal"), REFUSED)
def test_refused_at_once(client: httpx.Client, drawn: bytes, keep: str, refusal: tuple[int, str]) -> None:
    """What the gateway can see, it says, and enters no task."""
    files = {"file": ("a.mp4", HEAD), "mask": ("m.png", drawn)}
    answer = client.post("/blur_video", files=files, data={"keep": keep})
    assert (answer.status_code, answer.json()["error"]["code"]) == refusal, answer.text


def test_the_same_key_with_another_mask_is_another_request(client: httpx.Client) -> None:
    """The mask belongs to what was asked for; without it, or the same again, it is told apart."""
    headers = {"idempotency-key": f"video-mask-{time.time_ns()}"}

    def send(drawn: bytes) -> httpx.Response:
        return client.post("/blur_video", files={"file": HEAD, "mask": drawn}, headers=headers)

    first, again, other = send(mask()), send(mask()), send(mask((320, 240)))
    assert first.json()["task_id"] == again.json()["task_id"]
    bare = client.post("/blur_video", files={"file": HEAD + mask()}, headers=headers)
    codes = [(answer.status_code, answer.json()["error"]["code"]) for answer in (other, bare)]
    assert codes == [(409, "idempotency_conflict")] * 2


def test_what_only_the_worker_sees_fails_the_task(client: httpx.Client, short: Path) -> None:
    """A mask of another shape, zones over too much of the picture; the result is not there."""
    asked: list[tuple[dict[str, bytes], dict[str, str], str]] = [
        ({"mask": photo_mask()}, {}, "mask_does_not_fit"),
        ({}, {"keep": "[[0, 0, 300, 200]]"}, "weaker_than_policy"),
    ]
    for files, data, code in asked:
        answer = client.post(
            "/blur_video", files={"file": short.read_bytes(), **files}, data={"classes": "face", **data}
        )
        task = task_of(answer)
        body = ended(client, task)
        assert (body["status"], body["error"]["code"]) == ("FAILURE", code)
        assert client.get(f"{task}/video").status_code == 404


def test_the_client_sends_both(system_url: str, short: Path, tmp_path: Path) -> None:
    """The mask as a file of its own."""
    drawn = tmp_path / "mask.png"
    drawn.write_bytes(mask())

    async def hide() -> dict[str, Any]:
        async with AsyncObscura(system_url, patience_s=120) as obscura:
            done = await obscura.blur_video(
                short, tmp_path / "out.mp4", classes=["face"], mask=drawn, keep=[WHOLE_WAY]
            )
            await obscura.erase(done.task_id)
            return dict(done.report)

    report = asyncio.run(hide())
    assert (report["kept"], report["tracks"], report["regions"]) == (1, {}, [STRIP])
    assert_masked_and_spared(short, tmp_path / "out.mp4")


@pytest.mark.parametrize("is_remote", [False, True], ids=["here", "on a server"])
def test_the_command_line(system_url: str, short: Path, tmp_path: Path, *, is_remote: bool) -> None:
    """It hides and spares the same on this machine and on a server."""
    drawn, out = tmp_path / "mask.png", tmp_path / "out"
    drawn.write_bytes(mask())
    words = ["blur", str(short), "-o", str(out), "--classes", "face", "--workers", "1", "--json"]
    areas = ["--mask", str(drawn), "--keep", ",".join(map(str, WHOLE_WAY))]
    server = ["--server", system_url] if is_remote else []
    run = CliRunner().invoke(app, [*words, *areas, *server])
    assert run.exit_code == 0, run.output
    report = json.loads(run.stdout)["report"]
    assert (report["kept"], report["tracks"], report["regions"]) == (1, {}, [STRIP])
    assert_masked_and_spared(short, out / "short.mp4")
