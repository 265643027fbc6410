"""Share the state of a task or batch between all streams that follow it, and limit the number of streams.

Reading the state of a batch reads a record per photo. If two hundred streams did that whenever one of three
hundred photos changes, the gateway could do nothing else. So streams share a watch, which reads only the
records that changed, serialises the state once for all streams, and spends at most a tenth of the time on it.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import structlog
from pydantic import BaseModel

from gateway_service.results.events import POLL_S, JobEvents
from obscura.access.key_store import AsyncKeyStore
from obscura.errors import ObscuraError, ProcessingFailedError, QueueUnavailableError, TooManyStreamsError

__all__ = ["SharedWatch", "Subject", "Watches", "is_end"]

# Bounds of the interval between two reads in seconds, and the interval as a multiple of a read's duration.
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0
PAUSE_FACTOR = 10.0
# Added to the interval for each stream that a change is sent to: ten times what that takes.
PAUSE_PER_STREAM_S = 0.001
# Interval between two reads of all records (for lost events), as a multiple of such a read's duration.
POLL_FACTOR = 200.0
LONGEST_POLL_S = 30.0
KEY_CHECK_S = 1.0
STREAMS_AGAIN_S = 5
UNREADABLE = "the state cannot be read"
log = structlog.get_logger(__name__)


def is_end(state: BaseModel) -> bool:
    """Whether a state is final."""
    return bool(getattr(state, "finished", False))


class Subject(Protocol):
    """A task or batch that is followed; its ``name`` is unique for it and its owner."""

    name: str

    async def job_ids(self) -> Sequence[str]:
        """Return the jobs whose events cause a read."""

    async def read_state(self, known: BaseModel | None, changed: Collection[str]) -> BaseModel:
        """Return the state: of all jobs if ``known`` is None, else ``known`` with the ``changed`` jobs."""


class SharedWatch:
    """The current state of a task or batch; ``version`` counts its changes from 0, before the first read."""

    def __init__(self, events: JobEvents, subject: Subject) -> None:
        self._events = events
        self.subject = subject
        self._news = asyncio.Event()
        self.followers = 0
        self.version = 0
        self.state: BaseModel | None = None
        self.text = b""
        """The state as JSON."""
        self.error: ObscuraError | None = None

    @property
    def is_over(self) -> bool:
        """Whether the state is final or reading it has failed."""
        return self.error is not None or (self.state is not None and is_end(self.state))

    async def after(self, version: int, timeout_s: float) -> None:
        """Return when there is a newer state than ``version``, or after ``timeout_s`` seconds."""
        if self.version == version and not self.is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout_s)

    async def first(self) -> BaseModel:
        """Return the state once it has been read; raise the error where reading failed."""
        while self.state is None and self.error is None:
            await self.after(0, POLL_S)
        if self.error is not None or self.state is None:
            raise self.error or ProcessingFailedError(UNREADABLE)
        return self.state

    async def run(self) -> None:
        """Read the state after changes until it is final."""
        try:
            await self._follow(await self.subject.job_ids())
        except ObscuraError as error:
            self._end(error)
        except Exception:
            # Followers must be notified, otherwise they would wait forever.
            log.exception("watch_crashed")
            self._end(ProcessingFailedError(UNREADABLE))

    async def _follow(self, job_ids: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        poll_at = 0.0
        with self._events.watched(job_ids) as waiter:
            while True:
                waiter.changed.clear()
                began = loop.time()
                reads_all = waiter.missed or began >= poll_at
                changed, waiter.job_ids, waiter.missed = waiter.job_ids, set(), False
                self._set(await self.subject.read_state(None if reads_all else self.state, changed))
                if self.is_over:
                    return
                seconds = loop.time() - began
                if reads_all:
                    poll_at = began + min(LONGEST_POLL_S, max(POLL_S, POLL_FACTOR * seconds))
                pause = max(SHORTEST_PAUSE_S, PAUSE_FACTOR * seconds, PAUSE_PER_STREAM_S * self.followers)
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter.changed.wait(), poll_at - loop.time())
                await asyncio.sleep(began + min(LONGEST_PAUSE_S, pause) - loop.time())

    def _set(self, state: BaseModel) -> None:
        if state != self.state:
            self.state, self.text = state, state.model_dump_json(exclude_none=True).encode()
            self._tell()

    def _end(self, error: ObscuraError) -> None:
        self.error = error
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        news, self._news = self._news, asyncio.Event()
        news.set()


class Watches:
    """The watches of one gateway, and the number of streams of each owner."""

    def __init__(self) -> None:
        self._watches: dict[str, tuple[SharedWatch, asyncio.Task[None]]] = {}
        self._streams: Counter[str] = Counter()
        self._valid: dict[str, tuple[float, bool]] = {}

    @contextmanager
    def follow(self, events: JobEvents, subject: Subject) -> Iterator[SharedWatch]:
        """Yield the watch of ``subject``, which exists while it is followed."""
        watch, task = self._watches.get(subject.name) or self._begun(events, subject)
        watch.followers += 1
        try:
            yield watch
        finally:
            watch.followers -= 1
            if not watch.followers:
                task.cancel()
                self._drop(subject.name, watch)

    def _begun(self, events: JobEvents, subject: Subject) -> tuple[SharedWatch, asyncio.Task[None]]:
        watch = SharedWatch(events, subject)
        task = asyncio.get_running_loop().create_task(watch.run())
        # A follower after the end or an error starts a new watch.
        task.add_done_callback(lambda _task: self._drop(subject.name, watch))
        self._watches[subject.name] = watch, task
        return watch, task

    def _drop(self, name: str, watch: SharedWatch) -> None:
        if name in self._watches and self._watches[name][0] is watch:
            del self._watches[name]

    @contextmanager
    def stream_of(self, owner: str | None, limit: int) -> Iterator[None]:
        """Count a stream of ``owner`` (None: without a key) while it lasts.

        Raises
        ------
        TooManyStreamsError
            If the owner has ``limit`` streams already; 0: no limit.
        """
        name = owner or ""
        if limit and self._streams[name] >= limit:
            message = f"more than {limit} event streams at once"
            raise TooManyStreamsError(message, STREAMS_AGAIN_S)
        self._streams[name] += 1
        try:
            yield
        finally:
            self._streams[name] -= 1
            if not self._streams[name]:
                del self._streams[name]
                self._valid.pop(name, None)

    async def is_valid(self, keys: AsyncKeyStore, owner: str | None) -> bool:
        """Whether the key of a stream is still valid, checked at most once a second."""
        if owner is None:
            return True
        now = asyncio.get_running_loop().time()
        asked, valid = self._valid.get(owner, (now - KEY_CHECK_S, True))
        if now - asked < KEY_CHECK_S:
            return valid
        self._valid[owner] = now, valid
        with suppress(QueueUnavailableError):
            # Without the job store the watch itself ends the streams.
            valid = await keys.is_valid(owner)
        if owner in self._streams:
            self._valid[owner] = now, valid
        return valid
