"""Workers are killed, again and again, while they work."""

import random
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chaos.tools import Load, kill, objects, processes, wait_for_events
from tests.end_to_end.test_lifecycle import assert_all_ends
from tests.system import RunningSystem

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]
# One kill in this many takes the worker's first process, with all the others; the last takes all the others.
FIRST_PROCESS = 6
SETTINGS = {"OBSCURA_SWEEP_INTERVAL_S": "5", "OBSCURA_REAPER_INTERVAL_S": "5", "OBSCURA_LEASE_S": "60"}


class Plan(NamedTuple):
    """How much is done to a system."""

    jobs: int
    kills: int
    seed: int


FULL = [
    pytest.param(Plan(600, 25, seed), marks=[pytest.mark.slow, pytest.mark.timeout(1800)], id=f"full-{seed}")
    for seed in (1, 2, 3)
]


def victims(workers: list[int], done: int, plan: Plan, chance: random.Random) -> list[int]:
    """Return whom the next kill takes: the first process, with all others; one of those; last, all those."""
    if done % FIRST_PROCESS == FIRST_PROCESS - 1:
        return workers[:1]
    return workers[1:] if done == plan.kills - 1 else [chance.choice(workers[1:])]


def kill_workers(system: RunningSystem, load: Load, plan: Plan) -> int:
    """Kill workers, evenly over the jobs and at random moments; return how many kills there were."""
    chance = random.Random(plan.seed)  # noqa: S311 - chance, not a secret
    done = 0
    while done < plan.kills and not load.stop.is_set():
        if len(load.accepted) < (done + 0.5) * plan.jobs / plan.kills:
            time.sleep(0.05)
            continue
        time.sleep(chance.uniform(0, 0.5))
        workers = processes(system, "worker")
        if len(workers) > 1:
            for worker in victims(workers, done, plan, chance):
                kill(worker)
            done += 1
    return done


@pytest.mark.parametrize("plan", [pytest.param(Plan(16, 2, 1), id="short"), *FULL])
def test_nothing_is_lost_and_nothing_done_twice(
    tmp_path: Path, portrait: Path, capsys: pytest.CaptureFixture[str], plan: Plan
) -> None:
    """Every accepted job ends in SUCCESS, once, with one result; no photo and no orphan stays.

    SIGTERM then ends all processes with exit code 0.
    """
    system = RunningSystem("standalone", tmp_path / "data", settings=SETTINGS)
    load = Load(system.url, portrait.read_bytes())
    try:
        system.wait_until_ready()
        killed: list[int] = []
        killer = threading.Thread(target=lambda: killed.append(kill_workers(system, load, plan)))
        began = time.monotonic()
        killer.start()
        load.run(plan.jobs)
        load.stop.set()
        killer.join()
        seconds = time.monotonic() - began
        results = wait_for_orphans_to_go(system, plan.jobs)
        events = wait_for_events(system, load.accepted)
        assert_all_ends(system, signal.SIGTERM)
    finally:
        load.stop.set()
        system.stop()
    with capsys.disabled():
        print(
            f"\n{plan.jobs} jobs, {killed[0]} kills (seed {plan.seed}), {seconds:.0f} s: "
            f"{dict(load.ends())}, refused {dict(load.refused)}, {len(results)} results"
        )
    assert killed == [plan.kills]
    assert load.ends() == {"SUCCESS": plan.jobs}
    assert sorted(name.partition(".")[0] for name in results) == sorted(load.accepted)
    assert objects(system, "photos") == []
    for event in ("accepted", "done", "original_erased"):
        assert {events[event, task] for task in load.accepted} == {1}


def wait_for_orphans_to_go(system: RunningSystem, expected: int) -> list[str]:
    """Return the stored results once there is one for each job, and nothing else, or after two minutes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(objects(system, "results")) == expected and not objects(system, "photos"):
            break
        time.sleep(1)
    return objects(system, "results")
