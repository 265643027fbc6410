"""The Python client against the running system, and against servers that behave badly."""

import asyncio
import io
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from obscura.client import AsyncObscura, Obscura, UserBox
from obscura.errors import RemoteRefusalError, RemoteTaskFailedError, ServerUnreachableError
from tests import photos, videos
from tests.photos import FACE

pytestmark = pytest.mark.end_to_end
ROOT = Path(__file__).parent.parent.parent
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def obscura(system_url: str) -> Iterator[Obscura]:
    """Return a client of the running system."""
    with Obscura(system_url, patience_s=60) as client:
        yield client


def face_change(picture: bytes) -> float:
    """Return how much the portrait's face differs from the original."""
    parts = [
        np.asarray(item.convert("RGB").crop(FACE), np.float32)
        for item in (Image.open(io.BytesIO(picture)), photos.portrait())
    ]
    return float(np.abs(parts[0] - parts[1]).mean())


def test_detect_blur_and_redact(obscura: Obscura, portrait: Path) -> None:
    """Each call returns what the API says, typed."""
    found = obscura.detect(portrait, classes=["face"])
    assert [item.class_name for item in found.detections] == ["face"]
    assert (found.image.width, found.image.height) == (512, 512)
    hidden = obscura.blur(portrait.read_bytes(), style="solid")
    assert hidden.verdict == "clean"
    assert face_change(hidden.picture) > 20
    left_open = obscura.redact(portrait, [UserBox(xyxy=(400, 400, 450, 450))])
    assert face_change(left_open.picture) == 0
    assert left_open.verdict == "needs_review"
    assert [item.class_name for item in left_open.residual] == ["face"]
    assert hidden.residual == ()


def test_erased_is_unknown(obscura: Obscura, portrait: Path) -> None:
    """A task that was erased cannot be erased again."""
    task_id = obscura.detect(portrait).task_id
    obscura.erase(task_id)
    with pytest.raises(RemoteRefusalError) as refusal:
        obscura.erase(task_id)
    assert (refusal.value.status, refusal.value.remote_code) == (404, "unknown_task")


def test_refusals_carry_the_servers_code(obscura: Obscura, portrait: Path) -> None:
    """A photo that is none, an option that is none, a photo that breaks while it is worked on."""
    with pytest.raises(RemoteRefusalError) as refusal:
        obscura.blur(b"no photo")
    assert (refusal.value.status, refusal.value.remote_code) == (415, "unsupported_format")
    with pytest.raises(RemoteRefusalError) as refusal:
        obscura.blur(portrait, cells=99)
    assert refusal.value.remote_code == "invalid_option"
    damaged = photos.encoded(photos.portrait(), "PNG")
    with pytest.raises(RemoteTaskFailedError) as failure:
        obscura.blur(damaged[:3000] + bytes(200) + damaged[3200:])
    assert failure.value.remote_code == "undecodable_photo"


def test_many_photos_one_of_them_bad(obscura: Obscura, portrait: Path, tmp_path: Path) -> None:
    """A bad photo is reported beside the others and stops none of them."""
    missing = tmp_path / "missing.jpg"
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff nothing")
    outcomes = {
        (item.photo, item.error is None) for item in obscura.blur_many([portrait, broken, missing], at_once=2)
    }
    assert outcomes == {(portrait, True), (broken, False), (missing, False)}


def test_asyncio_gives_the_same_answers(system_url: str, portrait: Path, obscura: Obscura) -> None:
    """Detections of both clients are equal, also when many are asked at once."""

    async def ask() -> list[object]:
        async with AsyncObscura(system_url, patience_s=60) as client:
            first = await client.detect(portrait)
            many = [item.hidden async for item in client.blur_many([portrait] * 3)]
            assert all(hidden is not None and face_change(hidden.picture) > 20 for hidden in many)
            await client.erase(first.task_id)
            return list(first.detections)

    assert asyncio.run(ask()) == list(obscura.detect(portrait).detections)


Answer = Callable[[BaseHTTPRequestHandler, int], None]


@contextmanager
def server(answer: Answer) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Run a server whose ``answer`` gets each request and its number from 0; yield address and requests."""
    requests: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            requests.append((self.command, self.headers.get("idempotency-key", "")))
            answer(self, len(requests) - 1)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", requests
    finally:
        running.shutdown()
        running.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """Send one answer."""
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_busy_and_broken_connections_are_asked_again_as_the_same_task(portrait: Path) -> None:
    """503, 429 and a connection that ends without an answer: the POST is repeated under one key."""

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        match number:
            case 0:
                reply(handler, 503, b'{"error":{"code":"queue_full","message":"full"}}', retry_after="0")
            case 1:
                reply(handler, 429, b'{"error":{"code":"rate_limited","message":"wait"}}', retry_after="0")
            case 2:
                handler.close_connection = True
            case 3:
                reply(handler, 200, b'{"task_id":"one"}')
            case _:
                reply(handler, 200, b'{"status":"FAILURE","error":{"code":"x","message":"told"}}')

    with (
        server(answer) as (url, requests),
        Obscura(url, patience_s=30) as client,
        pytest.raises(RemoteTaskFailedError, match="told") as failure,
    ):
        client.blur(portrait)
    assert failure.value.remote_code == "x"
    assert [method for method, _ in requests] == ["POST"] * 4 + ["GET"]
    assert len({key for method, key in requests if method == "POST"}) == 1


def test_patience_ends(portrait: Path) -> None:
    """A server that is always busy, one that never ends a task, one that is not there."""

    def always_busy(handler: BaseHTTPRequestHandler, _number: int) -> None:
        reply(handler, 503, b"<html>down</html>")

    def never_ends(handler: BaseHTTPRequestHandler, number: int) -> None:
        reply(handler, 200, b'{"status":"RUNNING"}' if number else b'{"task_id":"one"}')

    with server(always_busy) as (url, _), Obscura(url, patience_s=0.5) as client:
        with pytest.raises(RemoteRefusalError) as refusal:
            client.blur(portrait)
        assert (refusal.value.status, refusal.value.remote_code) == (503, "http_error")
    with (
        server(never_ends) as (url, _),
        Obscura(url, patience_s=0.5) as client,
        pytest.raises(ServerUnreachableError, match="not ended"),
    ):
        client.blur(portrait)
    with Obscura("http://127.0.0.1:9", patience_s=0.2) as client, pytest.raises(ServerUnreachableError):
        client.detect(portrait)


def test_the_examples_of_the_documentation_run(system_url: str, portrait: Path, tmp_path: Path) -> None:
    """Every piece of Python in docs/how-to/python-client.md does what it says."""
    examples = EXAMPLE.findall((ROOT / "docs/how-to/python-client.md").read_text())
    assert len(examples) >= 4
    (tmp_path / "photo.jpg").write_bytes(portrait.read_bytes())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(portrait.read_bytes())
    for example in examples:
        (tmp_path / "hidden.jpg").unlink(missing_ok=True)
        code = example.replace("http://localhost:8000", system_url)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if "hidden.jpg" in example:
            assert face_change((tmp_path / "hidden.jpg").read_bytes()) > 20
        else:
            assert "one.jpg clean" in done.stdout


def test_a_video_and_how_far_it_is(obscura: Obscura, tmp_path: Path) -> None:
    """The result is written whole; what the callback raises ends the work on the server too."""
    clip = videos.make(tmp_path / "clip.mp4", frames=6)
    seen: list[str] = []
    done = obscura.blur_video(
        clip,
        tmp_path / "out.mp4",
        classes=["face"],
        audio="beep",
        beep=[(0.1, 0.25)],
        progress=lambda *told: seen.append(told[0]),
    )
    assert done.report["tracks"] == {"face": 1}
    assert done.report["beeped"] == [[0.1, 0.25]]
    assert set(seen) <= {"finding", "hiding"}
    assert len(videos.upright_frames(done.path)) == 6

    def stop(*_told: object) -> None:
        raise KeyboardInterrupt

    long = videos.make(tmp_path / "long.mp4", frames=600, sound=False)
    with pytest.raises(KeyboardInterrupt):
        obscura.blur_video(long, tmp_path / "never.mp4", classes=["face"], progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "long.mp4", "out.mp4"]
