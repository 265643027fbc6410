"""Memory, over many photos and under many uploads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import photos
from tests.chaos.tools import Load, processes
from tests.system import RunningSystem

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]


def resident_mb(pids: list[int]) -> float:
    """Return the memory that processes have for themselves, in MB (shared pages counted in parts)."""
    total = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_workers_do_not_grow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After 2000 photos the workers' memory is at most 1.2 times that after 100."""
    system = RunningSystem("standalone", tmp_path / "data")
    try:
        system.wait_until_ready()
        load = Load(system.url, photos.encoded(photos.group(2, 1, 192), quality=90))
        load.run(100)
        before = resident_mb(processes(system, "worker"))
        load.run(1900)
        after = resident_mb(processes(system, "worker"))
        ends = load.ends()
    finally:
        system.stop()
    with capsys.disabled():
        print(f"\nworkers after 100 photos {before:.0f} MB, after 2000 {after:.0f} MB; {dict(ends)}")
    assert ends == {"SUCCESS": 2000}
    assert after <= 1.2 * before


def large_photo() -> bytes:
    """Return a file of just under 25 MiB that cannot be compressed."""
    noise = np.random.default_rng(1).integers(0, 256, (2900, 3000, 3), dtype=np.uint8)
    data = photos.encoded(Image.fromarray(noise), "BMP")
    assert 24 << 20 < len(data) <= 25 << 20
    return data


def peak_mb(pids: list[int], done: threading.Event) -> float:
    """Return the most memory that processes have until ``done`` is set."""
    peak = 0.0
    while not done.is_set():
        peak = max(peak, resident_mb(pids))
        time.sleep(0.02)
    return peak


@pytest.mark.slow
def test_uploads_do_not_pile_up_in_the_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty uploads of 25 MB at once cost the gateway at most 50 MB."""
    system = RunningSystem("standalone", tmp_path / "data")
    done, data = threading.Event(), large_photo()
    try:
        system.wait_until_ready()
        gateway = processes(system, "gateway")
        with httpx.Client(base_url=system.url, timeout=300) as client, ThreadPoolExecutor(21) as pool:
            small = client.post("/detect_faces", files={"file": photos.PORTRAIT.read_bytes()})
            client.get(f"/task_result/{small.json()['task_id']}", params={"wait": 30})
            before = resident_mb(gateway)
            watched = pool.submit(peak_mb, gateway, done)
            posts = [pool.submit(client.post, "/detect_faces", files={"file": data}) for _ in range(20)]
            answers = [post.result() for post in posts]
            done.set()
            peak = watched.result()
    finally:
        done.set()
        system.stop()
    with capsys.disabled():
        print(f"\ngateway {before:.0f} MB, at most {peak:.0f} MB during 20 uploads of 25 MB")
    assert {answer.status_code for answer in answers} == {200}
    assert peak - before <= 50
