"""SIGTERM: nothing is lost, and nobody waits for long."""

import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.chaos.test_poison import poisoned_system, post
from tests.chaos.tools import kill, processes
from tests.end_to_end.test_faceblur import finished
from tests.system import RunningSystem

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]


@pytest.mark.slow
def test_a_stopped_worker_ends_its_photos_first(
    tmp_path: Path, portrait: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM under load: the worker is gone well within 30 s, the next one does the rest, none is lost."""
    system = RunningSystem("standalone", tmp_path / "data")
    system.wait_until_ready()
    with httpx.Client(base_url=system.url, timeout=60) as client:
        photo = portrait.read_bytes()
        tasks = [client.post("/blur_faces", files={"file": photo}).json()["task_id"] for _ in range(12)]
        worker = processes(system, "worker")[0]
        began = time.monotonic()
        kill(worker, signal.SIGTERM)
        while Path(f"/proc/{worker}").exists() and worker in processes(system, "worker"):
            assert time.monotonic() - began < 30
            time.sleep(0.05)
        gone = time.monotonic() - began
        with capsys.disabled():
            print(f"\nSIGTERM with 12 photos waiting or in work: worker gone after {gone:.1f} s")
        assert gone < 15
        assert {finished(client, task)["status"] for task in tasks} == {"SUCCESS"}
    assert system.stop() == 0


@pytest.mark.slow
def test_a_stopped_worker_gives_back_what_takes_too_long(
    valkey_url: str, tmp_path: Path, portrait: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a photo that hangs the worker still ends within 30 s; the ledger still knows the job."""
    settings = {"OBSCURA_DECODE_KILL_S": "60", "OBSCURA_LEASE_S": "40", "OBSCURA_REAPER_INTERVAL_S": "2"}
    with (
        poisoned_system(valkey_url, tmp_path, **settings) as (url, worker),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        task = post(client, portrait.read_bytes() + b"hang")
        time.sleep(2)
        began = time.monotonic()
        worker.terminate()
        worker.wait(30)
        gone = time.monotonic() - began
        with capsys.disabled():
            print(f"\nSIGTERM with a photo that hangs: worker gone after {gone:.1f} s")
        assert 20 < gone < 30
        assert client.get(f"/task_result/{task}").json()["status"] == "RUNNING"
