"""Videos over HTTP: a task with progress, a result in parts, a cancel that stops the work, clear refusals."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests import videos
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
PATIENCE_S = 120


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of the portrait passing by, with a tone; the sixth shows nobody."""
    return videos.make(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=12, blank=(6,))


def send(client: httpx.Client, path: Path, **fields: str) -> httpx.Response:
    """Post a video as a stranger would."""
    with path.open("rb") as file:
        return client.post("/blur_video", files={"file": ("a film.mp4", file)}, data=fields)


def task_of(answer: httpx.Response) -> str:
    """Return the address of the task that was entered."""
    assert answer.status_code == 200, answer.text
    return f"/task_result/{answer.json()['task_id']}"


def until(look: Callable[[], Any], what: str) -> Any:
    """Return what ``look`` gives once it gives something."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    pytest.fail(f"{what} did not happen")


def ended(client: httpx.Client, task: str) -> dict[str, Any]:
    """Return a task's answer once it has ended."""

    def look() -> dict[str, Any] | None:
        answer: dict[str, Any] = client.get(task, params={"wait": 10}).json()
        return answer if answer["status"] in {"SUCCESS", "FAILURE"} else None

    found: dict[str, Any] = until(look, "the end of the task")
    return found


def assert_hidden(source: Path, result: Path, frames: int) -> None:
    """The face's place has changed in every picture, also in those that show nobody."""
    before, after = videos.upright_frames(source), videos.upright_frames(result)
    assert len(before) == len(after) == frames
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        face = videos.face_at(number / frames)
        pair = [np.asarray(item.crop(face), np.float32) for item in (old, new)]
        assert np.abs(pair[0] - pair[1]).mean() > 5, number


def test_a_video_comes_back_with_its_faces_hidden(
    client: httpx.Client, clip: Path, system: RunningSystem, tmp_path: Path
) -> None:
    """Also in the picture in between; the sound is the same, byte for byte; nothing of the upload stays."""
    task = task_of(send(client, clip, classes="face"))
    events = client.get(f"{task}/events").text
    answer = ended(client, task)
    assert answer["status"] == "SUCCESS", answer
    assert answer["result"] == answer["video"]["url"] == f"{task}/video"
    assert answer["report"]["tracks"] == {"face": 1}
    assert answer["image"] == {"width": 320, "height": 240, "frames": 12}
    assert '"finished":true' in events
    whole = client.get(f"{task}/video")
    assert whole.headers["content-type"] == answer["video"]["media_type"] == "video/mp4"
    assert int(whole.headers["content-length"]) == answer["video"]["bytes"] == len(whole.content)
    assert "a film" not in whole.headers["content-disposition"]
    part = client.get(f"{task}/video", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    again = client.get(f"{task}/video", headers={"if-none-match": whole.headers["etag"]})
    assert again.status_code == 304
    hidden = tmp_path / "hidden.mp4"
    hidden.write_bytes(whole.content)
    assert_hidden(clip, hidden, 12)
    assert videos.sound_packets(clip) == videos.sound_packets(hidden)
    assert client.get(f"{task}/image").status_code == 404
    name = task.rpartition("/")[2]
    photos = system.data_dir / "photos" / "photos"
    until(lambda: not (photos / name).exists(), "the erasure of the original")
    assert client.delete(task).status_code == 204
    assert client.get(f"{task}/video").status_code == 404
    assert not list((system.data_dir / "photos" / "results").glob(f"{name}*"))


def test_whoever_cancels_stops_the_work(client: httpx.Client, system: RunningSystem, tmp_path: Path) -> None:
    """While it runs the frames done are told; after a DELETE nothing runs and nothing is left."""
    long = videos.make(tmp_path / "long.mp4", frames=500, sound=False)
    task = task_of(send(client, long, classes="face"))

    def running() -> dict[str, Any] | None:
        answer: dict[str, Any] = client.get(task).json()
        assert answer["status"] in {"PENDING", "RUNNING"}
        return answer.get("frames")

    frames = until(running, "the first picture")
    assert frames["stage"] == "finding"
    assert 0 < frames["done"] <= frames["total"] == 500
    workshops = system.data_dir / "videos"
    assert list(workshops.iterdir())
    assert client.delete(task).status_code == 204
    until(lambda: not list(workshops.iterdir()), "the end of the work")
    assert client.get(task).status_code == 404


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_photo"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", 415, "unsupported_format"),
        (b"\xff\xd8\xff\xe0" + bytes(100), 415, "unsupported_format"),
    ],
)
def test_what_is_no_video_is_refused_at_once(
    client: httpx.Client, content: bytes, status: int, code: str
) -> None:
    """The gate answers, and no task is entered."""
    answer = client.post("/blur_video", files={"file": ("a.mp4", content)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_what_cannot_be_opened_fails_with_a_code(client: httpx.Client, clip: Path, tmp_path: Path) -> None:
    """Half a file is a task that fails, and its upload is erased."""
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[:2000])
    answer = ended(client, task_of(send(client, half)))
    assert answer["status"] == "FAILURE"
    assert answer["error"]["code"] == "undecodable_photo"


def test_options_are_held_to_policy(client: httpx.Client, clip: Path) -> None:
    """What photos may not ask for, videos may not either."""
    for fields, code in (
        ({"cells": "40"}, "weaker_than_policy"),
        ({"audio": "whisper"}, "invalid_option"),
        ({"audio": "beep"}, "invalid_option"),
        ({"audio": "beep", "beep": "3-1"}, "invalid_option"),
        ({"classes": "cat"}, "invalid_option"),
    ):
        answer = send(client, clip, **fields)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
