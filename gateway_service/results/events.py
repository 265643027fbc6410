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
# Final states of a job.
END_STATES = frozenset({JobState.DONE.value, JobState.FAILED.value, ERASED})
RECONNECT_S = 1.0
# Interval of polling, for events lost with a connection to the broker.
POLL_S = 2.0
log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Waiter:
    """One waiter: its event, whether it waits for the end only, and the record from the final event."""

    changed: asyncio.Event
    for_end: bool
    record_text: str = ""


class JobEvents:
    """Notifies waiters of changes of their jobs."""

    def __init__(self, job_store: AsyncJobStore) -> None:
        self._job_store = job_store
        self._waiters: defaultdict[str, set[_Waiter]] = defaultdict(set)

    def for_owner(self, job_store: AsyncJobStore) -> "JobEvents":
        """Return these events for the owner of ``job_store``, who cannot wait for jobs of others."""
        view = copy.copy(self)
        view._job_store = job_store  # noqa: SLF001 - a copy of this very class
        return view

    async def listen(self) -> None:
        """Receive the job store's events until cancelled."""
        while True:
            try:
                async with self._job_store.client.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(EVENTS)
                    while True:
                        message = await channel.get_message(timeout=None)
                        if message is not None:
                            self._dispatch(str(message["data"]))
            except (RedisError, OSError) as error:
                log.warning("events_lost", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    def _dispatch(self, event: str) -> None:
        job_id, _, news = event.partition(" ")
        state, _, record_text = news.partition(" ")
        if state == ERASED:
            self._job_store.finished_records.forget(job_id)
        is_end = state in END_STATES
        for waiter in self._waiters.get(job_id, ()):
            if is_end or not waiter.for_end:
                waiter.record_text = record_text
                waiter.changed.set()

    @contextmanager
    def watched(self, job_ids: Sequence[str], *, for_end: bool = False) -> Iterator[asyncio.Event]:
        """Yield an event that is set when one of the jobs changes, or only when one ends."""
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
        """Return the job's record once it has ended, or its current one after ``timeout_s`` seconds.

        Raises
        ------
        UnknownTaskError
            If there is no such job, or it is erased while waiting.
        QueueUnavailableError
            If the job store does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        # Only the end wakes this waiter, because every wake-up reads a record.
        with self._waiting([job_id], _Waiter(asyncio.Event(), for_end=True)) as waiter:
            while not waiter.record_text:
                waiter.changed.clear()
                record = await self._job_store.read(job_id)
                left = deadline - loop.time()
                if record.state.is_end or left <= 0:
                    return record
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter.changed.wait(), min(left, POLL_S))
        return self._job_store.record_from_event(job_id, waiter.record_text)
