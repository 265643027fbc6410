"""A watch reads what changed, for all its followers once."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress

from pydantic import BaseModel

from gateway_service.results.events import JobEvents
from gateway_service.results.shared_watch import Watches
from obscura.jobs import AsyncJobStore
from obscura.jobs.commands import EVENTS
from obscura.settings import Settings
from tests.job_stores import with_job_store

PATIENCE_S = 60.0


class State(BaseModel):
    """How often the state was read."""

    reads: int


class Counted:
    """Two jobs whose reads are noted: what had changed, None where all was read."""

    name = "two jobs"

    def __init__(self) -> None:
        self.reads: list[set[str] | None] = []

    async def job_ids(self) -> Sequence[str]:
        """Return the ids."""
        return ["a", "b"]

    async def read_state(self, known: BaseModel | None, changed: Collection[str]) -> State:
        """Note a read."""
        self.reads.append(None if known is None else set(changed))
        return State(reads=len(self.reads))


def test_only_what_changed_is_read_again_and_all_after_a_loss(settings: Settings) -> None:
    """Whatever the number of followers; after the connection for events was lost everything is read."""

    async def work(job_store: AsyncJobStore) -> None:
        events, watches, subject = JobEvents(job_store), Watches(), Counted()
        listening = asyncio.create_task(events.listen())
        while not (await job_store.client.pubsub_numsub(EVENTS))[0][1]:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE_S):
            with watches.follow(events, subject) as watch, watches.follow(events, subject) as other:
                assert watch is other
                await watch.first()
                assert subject.reads == [None]
                await job_store.client.publish(EVENTS, "b running")
                await watch.after(1, PATIENCE_S)
                assert subject.reads[:2] == [None, {"b"}]
                await job_store.client.client_kill_filter(_type="pubsub", skipme=True)
                while None not in subject.reads[1:]:
                    await watch.after(watch.version, PATIENCE_S)
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    with_job_store(settings, work)
