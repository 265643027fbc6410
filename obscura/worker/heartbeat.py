"""Heartbeats of a worker: ready, consuming, lease extension.

The first two are left in the ledger, where gateways look, and, where `Settings.heartbeat_dir` names a folder,
as times of files, so that a container's own health check costs nothing and speaks of that container alone.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
from celery import bootsteps
from celery.worker import state
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from obscura.contract import Queue
from obscura.errors import ServiceError
from obscura.jobs import Claimed, Heartbeats, JobStore
from obscura.jobs.heartbeat import BEAT_S
from obscura.jobs.worker_registry import WorkerRegistry, note_consuming, register_worker
from obscura.settings import Settings

__all__ = ["consumer_heartbeat", "extend_leases", "touch_ready"]

RENEWALS = 4
"""How often a claim is renewed before it would run out."""
log = structlog.get_logger(__name__)


class _Entry(Protocol):
    def cancel(self) -> None: ...


class _Timer(Protocol):
    def call_after(self, seconds: float, work: Callable[[], None]) -> _Entry: ...
    def call_repeatedly(self, seconds: float, work: Callable[[], None]) -> _Entry: ...


class _Consumer(Protocol):
    timer: _Timer
    task_consumer: Any


class _Beat(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no type hints
    """Says from the consumer's own event loop that messages are fetched, and sees to it that they are."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    queues: Sequence[Queue] = ()
    settings: Settings | None = None

    def __init__(self, parent: object, **_options: object) -> None:
        super().__init__(parent)
        self._entry: _Entry | None = None
        self._job_store = JobStore(self.settings or Settings())
        self._was_stuck = False

    def start(self, parent: _Consumer) -> None:
        """Begin when the consumer does."""
        self._was_stuck = False
        # The first at once, by the loop's first turn: nobody waits for a worker that is there already.
        parent.timer.call_after(0, lambda: self._beat(parent))
        self._entry = parent.timer.call_repeatedly(BEAT_S / 2, lambda: self._beat(parent))

    def stop(self, _parent: _Consumer) -> None:
        """End when the consumer does."""
        if self._entry is not None:
            self._entry.cancel()

    def _beat(self, parent: _Consumer) -> None:
        # A message whose acknowledgement met a broker that was away keeps its place in the prefetch window:
        # the window stays full with nothing in work, and nothing is fetched ever again.
        is_stuck = not parent.task_consumer.channel.qos.can_consume() and not state.reserved_requests
        if is_stuck and self._was_stuck:
            message = "the consumer's window is full of messages that nobody works on"
            # A connection error out of a timer makes celery connect anew, with an empty window.
            raise RedisConnectionError(message)
        self._was_stuck = is_stuck
        _touch(self.settings, "consuming")
        try:
            # A message may have been lost with a worker, and nothing else would lay the next one there.
            self._job_store.run(self._job_store.calls.hand_out(self.queues))
            for queue in self.queues:
                Heartbeats.consuming(self._job_store.client, queue)
            note_consuming(self._job_store.client, self.queues)
        except (RedisError, ServiceError) as error:
            log.warning("heartbeat_failed", error=type(error).__name__)


def _touch(settings: Settings | None, half: str) -> None:
    folder = settings.heartbeat_dir if settings else None
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / half).touch()
    except OSError as error:
        log.warning("heartbeat_failed", error=type(error).__name__)


def touch_ready(settings: Settings, presence: WorkerRegistry) -> None:
    """Say for ever that this process has its models loaded."""
    job_store = JobStore(settings)
    pause = threading.Event()
    while True:
        _touch(settings, "ready")
        try:
            for queue in presence.queues:
                Heartbeats.ready(job_store.client, queue)
            register_worker(job_store.client, presence)
        except RedisError as error:
            log.warning("heartbeat_failed", error=type(error).__name__)
        pause.wait(BEAT_S)


def extend_leases(settings: Settings, current: Callable[[], Claimed | None]) -> None:
    """Make what this process has in work last, for ever: a step that is slow is not one whose worker died.

    It ends with its process, at the hard limit at the latest, and the claim with it.
    """
    job_store = JobStore(settings)
    pause = threading.Event()
    while True:
        pause.wait(settings.lease_s / RENEWALS)
        claimed = current()
        if claimed is None:
            continue
        try:
            job_store.run(job_store.calls.renew(claimed))
        except ServiceError as error:
            log.warning("claim_not_renewed", code=error.code)


def consumer_heartbeat(settings: Settings, queues: Sequence[Queue]) -> type[bootsteps.StartStopStep]:
    """Return the step that makes a consumer beat for ``queues``."""
    return type("Beat", (_Beat,), {"queues": queues, "settings": settings})
