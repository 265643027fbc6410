"""Parts of work and how long they took."""

import asyncio
import time

import pytest

from obscura.observability import (
    Meter,
    Stage,
    StageTimer,
    catalogue,
    count,
    stage,
    timing_with,
    trace_context,
)


def test_a_part_does_not_hold_the_parts_inside_of_it() -> None:
    """What is timed inside is taken off outside, so that the parts of a step add up to it."""
    meter = Meter()
    watch = StageTimer(meter)
    with timing_with(watch):
        began = time.perf_counter_ns()
        with stage(Stage.REDACT):
            for _ in range(2):
                with stage(Stage.VERIFY):
                    time.sleep(0.05)
        whole = time.perf_counter_ns() - began
    sums = watch.close()
    assert set(sums) == {"redaction", "verification"}
    assert sums["verification"] >= 0.1e9
    assert sum(sums.values()) <= whole
    assert meter.pending()["stage_duration_seconds|verification|sum"] >= 100_000
    values = {name: number for name, number in meter.pending().items() if not name.endswith("|sum")}
    # One value for each kind of part, whichever bucket it fell into.
    assert sorted((name.split("|")[1], number) for name, number in values.items()) == [
        ("redaction", 1),
        ("verification", 1),
    ]


def test_parts_that_run_side_by_side_are_not_inside_each_other() -> None:
    """Two tasks of one request, whose parts overlap, each take their own time."""
    meter = Meter()
    watch = StageTimer(meter)

    async def part(name: Stage, turn: asyncio.Event, other: asyncio.Event) -> None:
        with stage(name):
            turn.set()
            await other.wait()

    async def both() -> None:
        one, other = asyncio.Event(), asyncio.Event()
        with timing_with(watch):
            await asyncio.gather(part(Stage.VALIDATE, one, other), part(Stage.STORE, other, one))

    asyncio.run(both())
    sums = watch.close()
    assert set(sums) == {"gate", "store"}
    assert all(took > 0 for took in sums.values())


def test_where_nobody_watches_nothing_is_kept() -> None:
    """The library times nothing for programs that only use it."""
    with stage(Stage.DECODE, format="jpeg") as told:
        told["width"] = 5
    count(catalogue.DETECTIONS, "face", by=2)
    assert trace_context() == ""


def test_a_part_that_fails_is_timed_too() -> None:
    """An error passes through and leaves its time."""
    watch = StageTimer(Meter())
    with pytest.raises(ValueError), timing_with(watch), stage(Stage.DECODE):  # noqa: PT011 - whichever
        raise ValueError
    assert set(watch.close()) == {"decode"}
