"""The broker dies, freezes, forgets - and comes back."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.tools import (
    Load,
    job_store_of,
    kill,
    objects,
    processes,
    wait_until_ready,
    wait_until_unready,
)
from tests.end_to_end.test_faceblur import finished
from tests.system import RunningSystem, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]
SETTINGS = {"OBSCURA_REAPER_INTERVAL_S": "5", "OBSCURA_LEASE_S": "60", "OBSCURA_SWEEP_INTERVAL_S": "5"}
CLIENTS = 4


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system whose broker suffers through all tests of this module."""
    running = RunningSystem("standalone", tmp_path_factory.mktemp("broker") / "data", settings=SETTINGS)
    running.wait_until_ready()
    yield running
    assert running.stop() == 0


def broker(system: RunningSystem) -> int:
    """Return the process of the embedded server."""
    return processes(system, "valkey-server")[0]


def killed(system: RunningSystem, _seconds: float) -> None:
    """Kill it; the supervisor starts another."""
    kill(broker(system))


def restarted(system: RunningSystem, _seconds: float) -> None:
    """End it in good order, and wait for its end: until then it answers, and the system is ready."""
    ending = broker(system)
    kill(ending, signal.SIGTERM)
    wait_until(lambda: ending not in processes(system, "valkey-server"))


def frozen(system: RunningSystem, seconds: float) -> None:
    """Hold it for a while."""
    kill(broker(system), signal.SIGSTOP)
    time.sleep(seconds)
    kill(broker(system), signal.SIGCONT)


def emptied(system: RunningSystem, _seconds: float) -> None:
    """Make it forget everything."""
    with job_store_of(system) as client:
        client.flushall()


def seconds_to_a_result(client: httpx.Client, photo: bytes) -> float:
    """Return how long it takes from now until a new photo is done."""
    began = time.monotonic()
    while time.monotonic() - began < 120:
        posted = client.post("/blur_faces", files={"file": photo})
        if posted.status_code == 200:
            assert finished(client, posted.json()["task_id"])["status"] == "SUCCESS"
            return time.monotonic() - began
        assert posted.status_code == 503
        time.sleep(0.1)
    pytest.fail("nothing is consumed")


FULL = [pytest.mark.slow, pytest.mark.timeout(900)]
RUNS = [
    # Of this one no times are asked: it runs on any machine, beside anything.
    pytest.param(emptied, 6, 0.0, id="emptied-short"),
    *(
        pytest.param(what, 60, 25.0, id=f"{what.__name__}-full", marks=FULL)
        for what in (killed, restarted, emptied, frozen)
    ),
]


@pytest.mark.parametrize(("what", "jobs", "seconds"), RUNS)
def test_the_broker_comes_back_and_so_do_the_jobs(  # noqa: PLR0913, PLR0917 - fixtures, and a run's three words
    system: RunningSystem,
    portrait: Path,
    capsys: pytest.CaptureFixture[str],
    what: Callable[[RunningSystem, float], None],
    jobs: int,
    seconds: float,
) -> None:
    """Work goes on within 10 s; every accepted job ends (emptied: some as lost); no photo stays."""
    photo = portrait.read_bytes()
    load = Load(system.url, photo)
    clients = threading.Thread(target=load.run, args=(jobs, CLIENTS))
    clients.start()
    try:
        while len(load.accepted) < CLIENTS and clients.is_alive():
            time.sleep(0.05)
        what(system, seconds)
        with httpx.Client(base_url=system.url, timeout=60) as client:
            back = wait_until_ready(client)
            consuming = seconds_to_a_result(client, photo)
            clients.join()
            assert client.get("/readyz").status_code == 200
    finally:
        load.stop.set()
    ends = load.ends()
    with capsys.disabled():
        print(
            f"\nbroker {what.__name__}, {jobs} jobs: ready after {back:.1f} s, a new photo done "
            f"{consuming:.1f} s later; {dict(ends)}, refused {dict(load.refused)}"
        )
    if seconds:
        assert consuming < 10
    assert sum(ends.values()) == jobs
    assert ends.keys() <= ({"SUCCESS", "job_lost"} if what is emptied else {"SUCCESS"})
    if what is emptied and not seconds:
        # Photos without a row go after a minute.
        return
    deadline = time.monotonic() + 90
    while objects(system, "photos") and time.monotonic() < deadline:
        time.sleep(1)
    assert objects(system, "photos") == []


@pytest.mark.parametrize(
    ("answer_s", "again_s"),
    [pytest.param(30.0, 120.0, id="short"), pytest.param(2.0, 10.0, id="full", marks=pytest.mark.slow)],
)
def test_without_a_broker_photos_are_refused_and_results_given(
    system: RunningSystem, portrait: Path, answer_s: float, again_s: float
) -> None:
    """503 with Retry-After within 2 s, no upload stays; what was finished is still given, bit by bit."""
    photo = portrait.read_bytes()
    with httpx.Client(base_url=system.url, timeout=60) as client:
        tasks = [client.post(path, files={"file": photo}).json()["task_id"] for path in ("/blur", "/detect")]
        before = [finished(client, task) for task in tasks]
        picture = client.get(f"/task_result/{tasks[0]}/image").content
        # Originals are erased a moment after the answers.
        wait_until(lambda: not set(tasks) & set(objects(system, "photos")))
        photos = objects(system, "photos")
        # The supervisor would start another one at once.
        os.kill(system.process.pid, signal.SIGSTOP)
        try:
            kill(broker(system))
            wait_until_unready(client)
            for path in ("/blur", "/detect"):
                began = time.monotonic()
                refused = client.post(path, files={"file": photo})
                assert time.monotonic() - began < answer_s
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_unavailable")
                assert int(refused.headers["retry-after"]) > 0
            assert objects(system, "photos") == photos
            assert [client.get(f"/task_result/{task}").json() for task in tasks] == before
            assert client.get(f"/task_result/{tasks[0]}/image").content == picture
            assert client.get("/task_result/unknown").status_code == 503
            assert client.get("/livez").status_code == 200
        finally:
            os.kill(system.process.pid, signal.SIGCONT)
        wait_until_ready(client)
        assert seconds_to_a_result(client, photo) < again_s
        assert client.delete(f"/task_result/{tasks[0]}").status_code == 204
        assert client.get(f"/task_result/{tasks[0]}").status_code == 404
