"""The end of what a gateway does for ever."""

import asyncio
from contextlib import suppress

import pytest

from gateway_service import periodic_tasks


def test_a_task_that_missed_its_cancelling_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both end: the task that hears of it at once, and the one that takes it for something else."""
    monkeypatch.setattr(periodic_tasks, "CANCEL_AGAIN_S", 0.01)

    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    async def run() -> list[bool]:
        running = [asyncio.create_task(work) for work in (deaf(), asyncio.sleep(60))]
        await asyncio.sleep(0)
        await asyncio.wait_for(periodic_tasks.end(running), 10)
        return [task.cancelled() for task in running]

    assert asyncio.run(run()) == [True, True]


def test_nothing_to_end_is_ended() -> None:
    """Without a task there is nothing to wait for."""
    asyncio.run(periodic_tasks.end([]))
