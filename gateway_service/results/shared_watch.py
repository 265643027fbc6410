"""Share the state of a task or batch between all streams that follow it, and limit the number of streams.

Reading the state of a batch reads a record per photo. If two hundred streams did that whenever one of three
hundred photos changes, the gateway could do nothing else. So streams share a watch, which reads the state
after changes and spends at most a tenth of the time on it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

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
KEY_CHECK_S = 1.0
STREAMS_AGAIN_S = 5
UNREADABLE = "the state cannot be read"
log = structlog.get_logger(__name__)


def is_end(state: BaseModel) -> bool:
    """Whether a state is final."""
    return bool(getattr(state, "finished", False))


@dataclass(frozen=True)
class Subject:
    """A task or batch that is followed.

    Attributes
    ----------
    name
        Unique for a task or batch and its owner.
    job_ids
        The jobs whose events cause a read.
    look
        Reads its state.
    """

    name: str
    job_ids: Sequence[str]
    read_state: Callable[[], Awaitable[BaseModel]]


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
        loop = asyncio.get_running_loop()
        with self._events.watched(self.subject.job_ids) as changed:
            while True:
                changed.clear()
                began = loop.time()
                await self._refresh()
                if self.is_over:
                    return
                pause = min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, PAUSE_FACTOR * (loop.time() - began)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), POLL_S)
                await asyncio.sleep(began + pause - loop.time())

    async def _refresh(self) -> None:
        try:
            state = await self.subject.read_state()
        except ObscuraError as error:
            self.error = error
        except Exception:
            # Followers must be notified, otherwise they would wait forever.
            log.exception("watch_crashed")
            self.error = ProcessingFailedError(UNREADABLE)
        else:
            if state == self.state:
                return
            self.state, self.text = state, state.model_dump_json(exclude_none=True).encode()
        self.version += 1
        news, self._news = self._news, asyncio.Event()
        news.set()


class Watches:
    """The watches of one gateway, and the number of streams of each owner."""

    def __init__(self) -> None:
        self._watches: dict[str, tuple[SharedWatch, asyncio.Task[None]]] = {}
        self._streams: Counter[str] = Counter()
        self._valid: dict[str, tuple[float, bool]] = {}

    def followed(self, name: str) -> Subject | None:
        """Return the subject of this name where it is being followed, None otherwise."""
        return self._watches[name][0].subject if name in self._watches else None

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
