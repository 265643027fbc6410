"""Photos that kill, hang or starve whoever opens them."""

import os
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.end_to_end.test_faceblur import finished
from tests.system import ended, free_port, start

if TYPE_CHECKING:
    import subprocess

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]

CODES = {
    b"segfault": "worker_lost",
    b"abort": "worker_lost",
    b"die": "worker_lost",
    b"hang": "processing_timed_out",
    b"spin": "processing_timed_out",
    b"eat": "photo_too_costly",
}
"""What the owner of each poison is told."""


@contextmanager
def poisoned_system(
    valkey_url: str, folder: Path, **settings: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run a gateway and the worker that poisons work on; yield the gateway's address and the worker."""
    port = free_port()
    environment = {
        **os.environ,
        "OBSCURA_REDIS_URL": valkey_url,
        "OBSCURA_STORAGE_DIR": str(folder / "photos"),
        "OBSCURA_CONCURRENCY": "2",
        **settings,
    }
    commands = (
        ["-m", "gateway_service", "--port", str(port)],
        ["-m", "tests.chaos.poison", str(folder / "starts")],
    )
    (folder / "starts").mkdir()
    with (folder / "log").open("wb") as log:
        parts = [
            start([sys.executable, *words], env=environment, stderr=log, stdout=log) for words in commands
        ]
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_workers(url)
        yield url, parts[1]
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            ended(part)


def wait_for_workers(url: str) -> None:
    """Wait until the one worker of the system serves its queue."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            if "worker:detect.faces" not in httpx.get(f"{url}/readyz").json()["missing"]:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("no worker")


def post(client: httpx.Client, photo: bytes) -> str:
    """Hand a photo in and return its task."""
    answer = client.post("/detect_faces", files={"file": photo})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        pytest.param(
            (b"segfault", b"hang", b"eat"),
            {"OBSCURA_DECODE_KILL_S": "8", "OBSCURA_DECODE_MEMORY_MB": "400"},
            id="short",
        ),
        pytest.param(tuple(CODES), {}, id="as-shipped", marks=pytest.mark.slow),
    ],
)
def test_poison_harms_only_itself(  # noqa: PLR0913, PLR0917 - fixtures, and a run's two words
    names: Collection[bytes],
    settings: dict[str, str],
    valkey_url: str,
    tmp_path: Path,
    portrait: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each poison is started at most 3 times and FAILS (within 60 s) saying why; all 20 others succeed."""
    good = portrait.read_bytes()
    with (
        poisoned_system(valkey_url, tmp_path, **settings) as (url, _worker),
        httpx.Client(base_url=url, timeout=180) as client,
    ):
        began = time.monotonic()
        poisons = {post(client, good + name): name for name in names}
        others = [post(client, good) for _ in range(20)]
        ends: dict[str, dict[str, Any]] = {}
        while unfinished := [task for task in (*others, *poisons) if task not in ends]:
            for task in unfinished:
                body = client.get(f"/task_result/{task}").json()
                if body["status"] in {"SUCCESS", "FAILURE"}:
                    ends[task] = {**body, "at": time.time()}
            time.sleep(0.2)
            assert time.monotonic() - began < 280
    told = {name: ends[task].get("error", {}).get("code") for task, name in poisons.items()}
    assert told == {name: CODES[name] for name in names}
    assert {ends[task]["status"] for task in others} == {"SUCCESS"}
    starts = {
        task: [float(at) for at in (tmp_path / "starts" / task).read_text().split()] for task in poisons
    }
    counts = {name: len(starts[task]) for task, name in poisons.items()}
    # All six at once share two processes: a photo's own time begins when it is first opened.
    after = {name: round(ends[task]["at"] - starts[task][0], 1) for task, name in poisons.items()}
    with capsys.disabled():
        print(f"\nstarts {counts}, seconds from the first to the FAILURE {after}")
    assert settings or max(after.values()) < 60
    assert max(counts.values()) <= 3
    # What took too long once would take too long again.
    assert {count for name, count in counts.items() if CODES[name] != "worker_lost"} == {1}


@pytest.mark.slow
def test_a_slow_photo_is_not_taken_from_its_worker(valkey_url: str, tmp_path: Path, portrait: Path) -> None:
    """A step ten times as long as its lease, with another process idle beside it, is begun once."""
    settings = {"OBSCURA_LEASE_S": "2", "OBSCURA_REAPER_INTERVAL_S": "1"}
    with (
        poisoned_system(valkey_url, tmp_path, **settings) as (url, _worker),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        task = post(client, portrait.read_bytes() + b"nap")
        assert finished(client, task)["status"] == "SUCCESS"
    assert (tmp_path / "starts" / task).read_text().count("\n") == 1
