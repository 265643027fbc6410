"""Wait for jobs with one pub/sub subscription for all waiters of this gateway."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from obscura.jobs import AsyncJobStore, JobRecord, JobState
from obscura.jobs.commands import EVENTS

ERASED = "erased"
# After these a job does not change any more.
ENDS = frozenset({JobState.DONE.value, JobState.FAILED.value, ERASED})
RECONNECT_S = 1.0
# An event lost with a broker connection costs a waiter this long at most.
LOOK_AGAIN_S = 2.0
log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Waiter:
    """What is set when a job changes, whether only its end is worth that, and the row told with the end."""

    changed: asyncio.Event
    for_end: bool
    told: str = ""


class JobEvents:
    """Wakes waiters when their job changes."""

    def __init__(self, job_store: AsyncJobStore) -> None:
        self._job_store = job_store
        self._waiters: defaultdict[str, set[_Waiter]] = defaultdict(set)

    def for_owner(self, job_store: AsyncJobStore) -> "JobEvents":
        """Return these events for whoever sees ``ledger``: a wait for somebody else's job is refused."""
        view = copy.copy(self)
        view._job_store = job_store  # noqa: SLF001 - a copy of this very class
        return view

    async def listen(self) -> None:
        """Hear the ledger's events until cancelled."""
        while True:
            try:
                async with self._job_store.client.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(EVENTS)
                    while True:
                        message = await channel.get_message(timeout=None)
                        if message is not None:
                            self._hear(str(message["data"]))
            except (RedisError, OSError) as error:
                log.warning("events_lost", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    def _hear(self, event: str) -> None:
        job_id, _, news = event.partition(" ")
        state, _, told = news.partition(" ")
        if state == ERASED:
            self._job_store.finished_records.forget(job_id)
        is_end = state in ENDS
        for waiter in self._waiters.get(job_id, ()):
            if is_end or not waiter.for_end:
                waiter.told = told
                waiter.changed.set()

    @contextmanager
    def watched(self, job_ids: Sequence[str], *, for_end: bool = False) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever one of the jobs changes, or only when one has ended."""
        with self._waiting(job_ids, _Waiter(asyncio.Event(), for_end)) as waiter:
            yield waiter.changed

    @contextmanager
    def _waiting(self, job_ids: Sequence[str], waiter: _Waiter) -> Iterator[_Waiter]:
        for job_id in job_ids:
            self._waiters[job_id].add(waiter)
        try:
            yield waiter
        finally:
            for job_id in job_ids:
                self._waiters[job_id].discard(waiter)
                if not self._waiters[job_id]:
                    del self._waiters[job_id]

    async def wait_for_end(self, job_id: str, timeout_s: float) -> JobRecord:
        """Return the job's row when it has ended, or as it stands after ``timeout_s`` seconds.

        Raises
        ------
        UnknownTaskError
            If there is no such job, or it is erased meanwhile.
        QueueUnavailableError
            If the ledger does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        # A job that was begun is no news here: every look is a row that is read.
        with self._waiting([job_id], _Waiter(asyncio.Event(), for_end=True)) as waiter:
            while not waiter.told:
                waiter.changed.clear()
                record = await self._job_store.read(job_id)
                left = deadline - loop.time()
                if record.state.is_end or left <= 0:
                    return record
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter.changed.wait(), min(left, LOOK_AGAIN_S))
        return self._job_store.record_from_event(job_id, waiter.told)
