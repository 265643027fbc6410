"""Broker, gateway and workers are restarted in turn while clients go on."""

import signal
import threading
import time
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from tests.chaos.tools import Load, kill, objects, processes, wait_for_events, wait_until_ready
from tests.system import RunningSystem

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]
SETTINGS = {"OBSCURA_REAPER_INTERVAL_S": "5", "OBSCURA_LEASE_S": "60"}
CLIENTS = 8
# Of work between two restarts. The supervisor gives a part up that dies more than five times in two minutes.
PAUSE_S = 6.0


def restart_in_turn(system: RunningSystem, load: Load, seconds: float) -> int:
    """End one part after the other, in good order and not, until the time is up; return how many."""
    began, number = time.monotonic(), 0
    with httpx.Client(base_url=system.url, timeout=60) as client:
        for role in cycle(("valkey", "gateway", "worker")):
            wait_until_ready(client, 120)
            time.sleep(PAUSE_S)
            if time.monotonic() - began > seconds:
                break
            kill(processes(system, role)[0], signal.SIGTERM if number % 2 else signal.SIGKILL)
            number += 1
            # What was true a moment ago must not be taken for the next readiness.
            time.sleep(2)
    load.stop_posting.set()
    return number


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seconds", [300.0])
def test_every_accepted_job_ends(
    tmp_path: Path, portrait: Path, capsys: pytest.CaptureFixture[str], seconds: float
) -> None:
    """Under load from eight clients each accepted job ends in SUCCESS, or in a FAILURE that says why."""
    system = RunningSystem("standalone", tmp_path / "data", settings=SETTINGS)
    load = Load(system.url, portrait.read_bytes())
    restarts: list[int] = []
    try:
        system.wait_until_ready()
        trouble = threading.Thread(target=lambda: restarts.append(restart_in_turn(system, load, seconds)))
        trouble.start()
        load.run(1_000_000, CLIENTS)
        trouble.join()
        with httpx.Client(base_url=system.url) as client:
            back = wait_until_ready(client)
        events = wait_for_events(system, load.accepted)
        photos = objects(system, "photos")
    finally:
        load.stop.set()
        load.stop_posting.set()
        code = system.stop()
    ends = load.ends()
    with capsys.disabled():
        print(
            f"\nrestarts: {restarts[0]} in {seconds:.0f} s, {CLIENTS} clients: {dict(ends)}, "
            f"refused {dict(load.refused)}, ready {back:.1f} s after the last; "
            f"the slowest job took {load.longest_wait:.0f} s"
        )
    assert restarts[0] >= seconds / 30
    assert len(load.accepted) > restarts[0]
    assert "no end" not in ends
    assert ends["SUCCESS"] >= 0.99 * len(load.accepted)
    assert all(events["done", task] + events["failed", task] == 1 for task in load.accepted)
    assert photos == []
    assert code == 0
