"""Wait for jobs with one pub/sub subscription for all waiters of this gateway."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

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
class Waiter:
    """Waits for events of jobs.

    Attributes
    ----------
    for_end
        Whether only ends count.
    changed
        Is set by an event.
    job_ids
        The jobs of the events since the waiter last emptied this set.
    missed
        Whether events may have been lost since the waiter last reset this.
    record_text
        The record from the last event of an end.
    """

    for_end: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    job_ids: set[str] = field(default_factory=set)
    missed: bool = False
    record_text: str = ""


class JobEvents:
    """Notifies waiters of changes of their jobs."""

    def __init__(self, job_store: AsyncJobStore) -> None:
        self._job_store = job_store
        self._waiters: defaultdict[str, set[Waiter]] = defaultdict(set)

    def for_owner(self, job_store: AsyncJobStore) -> "JobEvents":
        """Return these events for the owner of ``job_store``, who cannot wait for jobs of others."""
        view = copy.copy(self)
        view._job_store = job_store  # noqa: SLF001 - a copy of this very class
        return view

    async def listen(self) -> None:
        """Receive the job store's events until cancelled."""
        were_lost = False
        while True:
            try:
                async with self._job_store.client.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(EVENTS)
                    if were_lost:
                        self._report_missed()
                    while True:
                        message = await channel.get_message(timeout=None)
                        if message is not None:
                            self._dispatch(str(message["data"]))
            except (RedisError, OSError) as error:
                log.warning("events_lost", error=type(error).__name__)
                were_lost = True
            await asyncio.sleep(RECONNECT_S)

    def _report_missed(self) -> None:
        """Wake all waiters, because events were lost while there was no subscription."""
        for waiter in set().union(*self._waiters.values()):
            waiter.missed = True
            waiter.changed.set()

    def _dispatch(self, event: str) -> None:
        job_id, _, news = event.partition(" ")
        state, _, record_text = news.partition(" ")
        if state == ERASED:
            self._job_store.finished_records.forget(job_id)
        is_end = state in END_STATES
        for waiter in self._waiters.get(job_id, ()):
            if is_end or not waiter.for_end:
                waiter.record_text = record_text
                waiter.job_ids.add(job_id)
                waiter.changed.set()

    @contextmanager
    def watched(self, job_ids: Sequence[str], *, for_end: bool = False) -> Iterator[Waiter]:
        """Yield a waiter that hears when one of the jobs changes, or only when one ends."""
        waiter = Waiter(for_end)
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
        with self.watched([job_id], for_end=True) as waiter:
            while not waiter.record_text:
                waiter.changed.clear()
                record = await self._job_store.read(job_id)
                left = deadline - loop.time()
                if record.state.is_end or left <= 0:
                    return record
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter.changed.wait(), min(left, POLL_S))
        return self._job_store.record_from_event(job_id, waiter.record_text)
