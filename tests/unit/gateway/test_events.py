"""Who waits for the end of a job is woken by its end, and not by every step on the way."""

import asyncio
from contextlib import suppress

import pytest

from gateway_service.events import JobEvents
from obscura.jobs import AsyncLedger
from obscura.jobs.calls import EVENTS
from obscura.settings import Settings
from tests.ledgers import with_ledger

PATIENCE_S = 60.0


@pytest.mark.parametrize("end", ["done", "failed", "erased"])
def test_a_wait_for_the_end_is_woken_by_the_end_alone(settings: Settings, end: str) -> None:
    """Who watches hears that a job was begun; who waits for its end hears nothing until then."""

    async def work(ledger: AsyncLedger) -> None:
        events = JobEvents(ledger)
        listening = asyncio.create_task(events.listen())
        with events.watched(["x"]) as any_news, events.watched(["x"], for_end=True) as the_end:
            async with asyncio.timeout(PATIENCE_S):
                while not any_news.is_set():
                    # Nobody listens yet, perhaps.
                    await ledger.client.publish(EVENTS, "x running")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(any_news.wait(), 0.1)
                assert not the_end.is_set()
                await ledger.client.publish(EVENTS, f"x {end}")
                await the_end.wait()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    with_ledger(settings, work)
