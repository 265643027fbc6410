"""One look at a task or batch for everybody who follows it, and bounds on how many may.

A look at a batch reads a row for each of its photos. Two hundred streams that look by themselves whenever one
of three hundred photos changes keep the gateway from everything else, so they share a watch: it looks when
something has changed, and spends a tenth of the time on it at most.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog
from pydantic import BaseModel

from gateway_service.results.events import LOOK_AGAIN_S, JobEvents
from obscura.access.key_store import AsyncKeyStore
from obscura.errors import ObscuraError, ProcessingFailedError, QueueUnavailableError, TooManyStreamsError

__all__ = ["SharedWatch", "Subject", "Watches", "is_end"]

# Between the beginnings of two looks: seconds, and as a multiple of what a look takes.
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0
PAUSE_FACTOR = 10.0
KEY_CHECK_S = 1.0
STREAMS_AGAIN_S = 5
UNREADABLE = "the state cannot be read"
log = structlog.get_logger(__name__)


def is_end(state: BaseModel) -> bool:
    """Whether a state is the last one."""
    return bool(getattr(state, "finished", False))


@dataclass(frozen=True)
class Subject:
    """What is followed.

    Attributes
    ----------
    name
        The same for the same task or batch, seen by the same owner, and for nothing else.
    job_ids
        The jobs whose events are reasons to look again.
    look
        Returns where it stands.
    """

    name: str
    job_ids: Sequence[str]
    look: Callable[[], Awaitable[BaseModel]]


class SharedWatch:
    """Where a task or batch stands; ``version`` counts the changes, and is 0 before the first look."""

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
        """Whether nothing more is to come."""
        return self.error is not None or (self.state is not None and is_end(self.state))

    async def after(self, version: int, timeout_s: float) -> None:
        """Return when there is something newer than ``version``, or after ``timeout_s`` seconds."""
        if self.version == version and not self.is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout_s)

    async def first(self) -> BaseModel:
        """Return the state once there is one; raise the error of the look where it failed."""
        while self.state is None and self.error is None:
            await self.after(0, LOOK_AGAIN_S)
        if self.error is not None or self.state is None:
            raise self.error or ProcessingFailedError(UNREADABLE)
        return self.state

    async def run(self) -> None:
        """Look until there is nothing more to come."""
        loop = asyncio.get_running_loop()
        with self._events.watched(self.subject.job_ids) as changed:
            while True:
                changed.clear()
                began = loop.time()
                await self._look()
                if self.is_over:
                    return
                pause = min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, PAUSE_FACTOR * (loop.time() - began)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK_AGAIN_S)
                await asyncio.sleep(began + pause - loop.time())

    async def _look(self) -> None:
        try:
            state = await self.subject.look()
        except ObscuraError as error:
            self.error = error
        except Exception:
            # Those who follow must hear that nothing more is to come.
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
    """The watches of one gateway, and who holds how many streams of them."""

    def __init__(self) -> None:
        self._watches: dict[str, tuple[SharedWatch, asyncio.Task[None]]] = {}
        self._streams: Counter[str] = Counter()
        self._valid: dict[str, tuple[float, bool]] = {}

    def followed(self, name: str) -> Subject | None:
        """Return the subject of this name that somebody follows now."""
        return self._watches[name][0].subject if name in self._watches else None

    @contextmanager
    def follow(self, events: JobEvents, subject: Subject) -> Iterator[SharedWatch]:
        """Give the watch of ``subject``, which lives for as long as anybody follows it."""
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
        # Who comes after the end, or after an error, has another look.
        task.add_done_callback(lambda _task: self._drop(subject.name, watch))
        self._watches[subject.name] = watch, task
        return watch, task

    def _drop(self, name: str, watch: SharedWatch) -> None:
        if name in self._watches and self._watches[name][0] is watch:
            del self._watches[name]

    @contextmanager
    def stream_of(self, owner: str | None, limit: int) -> Iterator[None]:
        """Count a stream of ``owner`` (None: of no key) for as long as it lasts.

        Raises
        ------
        TooManyStreamsError
            If there are ``limit`` already; 0 is no limit.
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
        """Whether the key of a stream still opens anything; the server is asked once a second at most."""
        if owner is None:
            return True
        now = asyncio.get_running_loop().time()
        asked, valid = self._valid.get(owner, (now - KEY_CHECK_S, True))
        if now - asked < KEY_CHECK_S:
            return valid
        self._valid[owner] = now, valid
        with suppress(QueueUnavailableError):
            # Where nobody can tell, the watch itself ends the streams.
            valid = await keys.is_valid(owner)
        if owner in self._streams:
            self._valid[owner] = now, valid
        return valid
