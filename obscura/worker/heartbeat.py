"""Heartbeats of a worker: ready, consuming, lease extension.

``ready`` (the models of a process are loaded) and ``consuming`` (messages are being fetched) are written to
the worker registry, which gateways read. Where `Settings.heartbeat_dir` names a folder they are modification
times of files as well, so that the health check of a container needs no server and covers that container
only.
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
from obscura.jobs import Claimed, JobStore
from obscura.jobs.worker_registry import (
    HEARTBEAT_INTERVAL_S,
    WorkerRegistration,
    record_consuming,
    register_worker,
)
from obscura.settings import Settings

__all__ = ["consumer_heartbeat", "extend_leases", "touch_ready"]

RENEWALS = 4
"""How often a lease is extended within its length."""
log = structlog.get_logger(__name__)


class _Entry(Protocol):
    def cancel(self) -> None: ...


class _Timer(Protocol):
    def call_after(self, seconds: float, work: Callable[[], None]) -> _Entry: ...
    def call_repeatedly(self, seconds: float, work: Callable[[], None]) -> _Entry: ...


class _Consumer(Protocol):
    timer: _Timer
    task_consumer: Any


class _ConsumerHeartbeat(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no type hints
    """Celery boot step: records that messages are fetched, and reconnects a consumer that is stuck.

    It runs in the consumer's event loop, so a loop that hangs stops its heartbeat.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    queues: Sequence[Queue] = ()
    settings: Settings | None = None

    def __init__(self, parent: object, **_options: object) -> None:
        super().__init__(parent)
        self._entry: _Entry | None = None
        self._job_store = JobStore(self.settings or Settings())
        self._was_stuck = False

    def start(self, parent: _Consumer) -> None:
        """Start with the consumer: one heartbeat in the loop's first iteration, then two per interval."""
        self._was_stuck = False
        parent.timer.call_after(0, lambda: self._beat(parent))
        self._entry = parent.timer.call_repeatedly(HEARTBEAT_INTERVAL_S / 2, lambda: self._beat(parent))

    def stop(self, _parent: _Consumer) -> None:
        """Stop with the consumer."""
        if self._entry is not None:
            self._entry.cancel()

    def _beat(self, parent: _Consumer) -> None:
        # A message whose acknowledgement failed because the broker was away keeps its slot in the prefetch
        # window. The window then stays full without a step in work, and nothing would be fetched again.
        is_stuck = not parent.task_consumer.channel.qos.can_consume() and not state.reserved_requests
        if is_stuck and self._was_stuck:
            message = "the prefetch window is full, but no step is in work"
            # A connection error raised in a timer makes Celery reconnect with an empty window.
            raise RedisConnectionError(message)
        self._was_stuck = is_stuck
        _touch(self.settings, "consuming")
        try:
            # If a worker died with the last message of a queue, no other event would push the next one.
            self._job_store.run(self._job_store.calls.hand_out(self.queues))
            record_consuming(self._job_store.client, self.queues)
        except (RedisError, ServiceError) as error:
            log.warning("heartbeat_failed", error=type(error).__name__)


def _touch(settings: Settings | None, name: str) -> None:
    folder = settings.heartbeat_dir if settings else None
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / name).touch()
    except OSError as error:
        log.warning("heartbeat_failed", error=type(error).__name__)


def touch_ready(settings: Settings, registration: WorkerRegistration) -> None:
    """Record every `HEARTBEAT_INTERVAL_S` seconds that this process has loaded its models; never returns."""
    job_store = JobStore(settings)
    pause = threading.Event()
    while True:
        _touch(settings, "ready")
        try:
            register_worker(job_store.client, registration)
        except RedisError as error:
            log.warning("heartbeat_failed", error=type(error).__name__)
        pause.wait(HEARTBEAT_INTERVAL_S)


def extend_leases(settings: Settings, current: Callable[[], Claimed | None]) -> None:
    """Extend the lease of the step in work, `RENEWALS` times per lease; never returns.

    ``current`` returns the step in work or None. A slow step so keeps its lease; the thread ends with its
    process, at the hard limit at the latest, and the lease then expires.
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
            log.warning("lease_not_extended", code=error.code)


def consumer_heartbeat(settings: Settings, queues: Sequence[Queue]) -> type[bootsteps.StartStopStep]:
    """Return the Celery boot step that sends the consumer's heartbeats for ``queues``."""
    return type("ConsumerHeartbeat", (_ConsumerHeartbeat,), {"queues": queues, "settings": settings})
