"""What is kept, and for how long."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from obscura.audit import verify
from tests.end_to_end.test_faceblur import finished
from tests.system import ROOT, RunningSystem

pytestmark = pytest.mark.end_to_end
TTL_S = 4


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system that keeps results for a few seconds."""
    system = RunningSystem(
        "standalone",
        tmp_path_factory.mktemp("short") / "data",
        settings={"OBSCURA_RESULT_TTL_S": str(TTL_S), "OBSCURA_CONCURRENCY": "1"},
    )
    system.wait_until_ready()
    yield system
    system.stop()


def stored(system: RunningSystem) -> list[str]:
    """Return everything in the storage of a system."""
    folder = system.data_dir / "photos"
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def wait_until_empty(system: RunningSystem, seconds: float) -> list[str]:
    """Return what is stored once that is nothing, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    while (left := stored(system)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("path", ["/blur_faces", "/detect_faces"])
def test_zero_retention_answers_at_once_and_keeps_nothing(
    client: httpx.Client, system: RunningSystem, portrait: Path, path: str
) -> None:
    """The POST itself answers with the result; nothing of the job is stored after it, and no id is known."""
    before = set(stored(system))
    answer = client.post(path, files={"file": portrait.read_bytes()}, data={"zero_retention": "true"})
    assert set(stored(system)) <= before
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "SUCCESS")
    assert "task_id" not in body
    if path == "/blur_faces":
        assert Image.open(BytesIO(base64.b64decode(body["result"]))).size == (512, 512)
    else:
        assert "face_1" in body["result"]


def test_zero_retention_contradicts_retain(client: httpx.Client, portrait: Path) -> None:
    """What shall be kept and not be kept is refused."""
    fields = {"zero_retention": "true", "retain": "60"}
    answer = client.post("/detect_faces", files={"file": portrait.read_bytes()}, data=fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_option")


def test_results_go_at_their_time_and_leave_a_trace(short_lived: RunningSystem, portrait: Path) -> None:
    """The original is gone within 5 s of the end, result and row at their time; the audit log tells."""
    with httpx.Client(base_url=short_lived.url, timeout=60) as client:
        task = client.post("/blur_faces", files={"file": portrait.read_bytes()}).json()["task_id"]
        assert finished(client, task)["status"] == "SUCCESS"
        ended = time.monotonic()
        while any(name.startswith("photos/") for name in stored(short_lived)):
            assert time.monotonic() - ended < 5
        assert wait_until_empty(short_lived, TTL_S + 60) == []
        assert TTL_S - 2 < time.monotonic() - ended < TTL_S + 60
        assert client.get(f"/task_result/{task}").status_code == 404
        time.sleep(1.5)
    log = short_lived.data_dir / "audit.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [item["event"] for item in records if item.get("job") == task] == [
        "accepted",
        "done",
        "original_erased",
        "expired",
        "result_erased",
    ]
    command = [sys.executable, "-m", "obscura.cli", "audit", "verify", str(log)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert str(verify(log.read_text().splitlines())) in done.stdout
    log.write_bytes(log.read_bytes().replace(b'"done"', b'"lost"'))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_cancelled_job_leaves_nothing(short_lived: RunningSystem, portrait: Path) -> None:
    """DELETE while jobs wait and run: their ids are unknown at once, and nothing of them is stored."""
    with httpx.Client(base_url=short_lived.url, timeout=60) as client:
        photo = portrait.read_bytes()
        tasks = [client.post("/blur_faces", files={"file": photo}).json()["task_id"] for _ in range(8)]
        assert {client.delete(f"/task_result/{task}").status_code for task in tasks} == {204}
        assert {client.get(f"/task_result/{task}").status_code for task in tasks} == {404}
        assert wait_until_empty(short_lived, 10) == []
