"""A Celery worker around handlers: claim a step, run its handler, leave the outcome in the ledger.

``python -m obscura.worker --healthcheck QUEUE`` exits with 0 while a worker serves that queue.
"""

import argparse
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import structlog
from celery import Celery, Task
from celery.exceptions import SecurityWarning
from celery.signals import worker_process_init, worker_process_shutdown
from redis.exceptions import RedisError

from obscura.beats import beat_ready, consumer_beat, keep_claims
from obscura.broker import TRACEPARENT, make_celery, send
from obscura.contract import ObjectClass, Priority, Queue, Step, StepRequest, TaskSpec
from obscura.endings import LITTLE_PATIENCE_S, answer_to, bound_shutdown, request_class, token_of
from obscura.errors import ObscuraError, ServiceError
from obscura.jobs import Claimed, Heartbeats, Ledger, wake_up
from obscura.jobs.calls import NOTHING
from obscura.jobs.presence import Presence
from obscura.observability import Stage, catalogue, configure_logging, forbid_core_dumps, stage, trace_ids
from obscura.observing import Observer, Seen, keep_logging
from obscura.settings import Settings
from obscura.storage import Storage

if TYPE_CHECKING:
    # A worker without a network of its own need not load what runs one.
    from obscura.detection.detector import Detector

__all__ = ["Handler", "Runtime", "Service", "StepLostError", "Tools", "concurrency", "serve", "threads"]

T = TypeVar("T")
PATIENCE_S = 30.0
AGAIN_S = 0.5
# A step younger than this is not worth asking after.
HOLD_S = 1.0
log = structlog.get_logger(__name__)


class StepLostError(Exception):
    """A step is no longer its worker's: the job was erased, or somebody else took the step over."""


class Hold(Protocol):
    """See ``Tools``."""

    def __call__(self, claimed: Claimed, fields: Mapping[str, str] = NOTHING, /) -> None: ...


@dataclass(frozen=True)
class Tools:
    """What a handler is built with, once in every process, after the fork.

    Attributes
    ----------
    settings, storage
        Of this installation.
    hold
        To be called between the parts of a long step: makes its claim last, and raises `StepLostError` where
        it does not hold any more. Fields that are handed over tell how far the step is.
    detectors
        Those that are loaded: services of one process share them.
    """

    settings: Settings
    storage: Storage
    hold: Hold
    detectors: "dict[ObjectClass, Detector]" = field(default_factory=dict)

    def read(self, key: str) -> bytes:
        """Return a stored object; see `Storage.get`."""
        with stage(Stage.READ):
            return self.storage.get(key)

    def store(self, key: str, data: bytes) -> None:
        """Store an object; see `Storage.put`."""
        with stage(Stage.STORE):
            self.storage.put(key, data)


Handler = Callable[[Claimed], Mapping[str, str]]


@dataclass(frozen=True)
class Service:
    """One kind of work: its task, the check at start, and how to build the handler.

    ``check`` runs before any process is forked and raises what makes serving impossible; ``build`` loads
    the model, warms it up, and returns a handler for each of the task's steps: from the claimed step to the
    fields of its outcome.
    """

    spec: TaskSpec
    build: Callable[[Tools], Mapping[Step, Handler]]
    check: Callable[[Settings], None]


def concurrency(settings: Settings) -> int:
    """Return how many processes a worker of this installation has."""
    return settings.concurrency or len(os.sched_getaffinity(0))


def threads(settings: Settings) -> int:
    """Return how many threads one inference of this installation uses."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // concurrency(settings))


def patiently(work: Callable[[], T]) -> T:
    """Return the outcome of ``work``, tried again while a service is away, for ``PATIENCE_S`` at most.

    Nothing is lost by waiting here: with the broker away there is nothing else to do, and a message given
    back to a broker that does not answer would hold its place in the consumer for ever.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return work()
        except ServiceError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("service_away", code=error.code)
        time.sleep(AGAIN_S)


class Runtime:
    """What one worker process holds: ledger, storage, and a handler per service."""

    def __init__(self, settings: Settings, services: Sequence[Service], app: Celery) -> None:
        self._app = app
        self._ledger = Ledger(settings)
        self._storage = Storage.open(settings)
        self.observer = Observer(settings, self._ledger.client)
        tools = Tools(settings, self._storage, self._hold)
        self._held_at = 0.0
        self.claimed: Claimed | None = None
        self._handlers: dict[Step, Handler] = {}
        for service in services:
            self._handlers.update(service.build(tools))
        queues = [service.spec.queue for service in services]
        models = [_model_series(detector) for detector in tools.detectors.values()]
        self.presence = Presence(token_of(os.getpid()), queues, models)

    def run(self, request: StepRequest, *, takeover: bool) -> None:
        """Do the step that ``request`` names, unless there is nothing (more) to do.

        Raises
        ------
        ServiceError
            If ledger or queue stay away for longer than a step may wait: the reaper finds the step again.
        """
        calls = self._ledger.calls
        claim = calls.claim(request.job_id, request.step, token_of(os.getpid()), takeover=takeover)
        claimed = patiently(lambda: self._ledger.run(claim))
        if claimed is None:
            log.info("step_not_claimed")
            return
        self._held_at = time.monotonic()
        self.claimed = claimed
        try:
            with self.observer.step(claimed) as seen:
                self._work(claimed, seen)
        finally:
            self.claimed = None

    def _work(self, claimed: Claimed, seen: Seen) -> None:
        try:
            fields = patiently(lambda: self._handlers[claimed.step](claimed))
        except StepLostError:
            seen.code = "step_lost"
            log.warning("step_lost")
        except Exception as error:  # noqa: BLE001 - whatever a photo does to a decoder, its owner gets an answer
            answer = answer_to(error)
            seen.code = answer.code
            self._end_with_error(claimed, answer)
        else:
            self._end(claimed, fields)

    def _hold(self, claimed: Claimed, fields: Mapping[str, str] = NOTHING, /) -> None:
        if time.monotonic() - self._held_at < HOLD_S:
            return
        if not patiently(lambda: self._ledger.run(self._ledger.calls.renew(claimed, fields))):
            raise StepLostError
        self._held_at = time.monotonic()

    def _end(self, claimed: Claimed, fields: Mapping[str, str]) -> None:
        outcome = patiently(lambda: self._ledger.run(self._ledger.calls.complete(claimed, fields)))
        if not outcome.accepted:
            log.warning("step_outcome_refused")
            # Erased or taken over meanwhile: what this step stored belongs to nobody.
            if "picture" in fields:
                self._storage.delete(fields["picture"])
            return
        row = claimed.row
        for step in outcome.next_steps:
            self._send(wake_up(row, step))
        if outcome.finished and row.options.retain == 0:
            self._erase_photo(row.photo)

    def _send(self, request: StepRequest) -> None:
        patiently(lambda: send(self._app, request))

    def _end_with_error(self, claimed: Claimed, error: ObscuraError) -> None:
        log.warning("step_failed", code=error.code)
        fail = self._ledger.calls.fail(claimed.lease, error.code, error.message)
        if patiently(lambda: self._ledger.run(fail)):
            self._erase_photo(claimed.row.photo)

    def _erase_photo(self, key: str) -> None:
        # The ledger has noted the key: should this fail, the reaper erases it.
        was_there = self._storage.delete(key)
        self._ledger.run(self._ledger.calls.forget(key, was_there=was_there))


def _model_series(detector: "Detector") -> str:
    card = detector.card
    weights = card.files.get("pt" if detector.engine.startswith("ultralytics") else "onnx")
    sha256 = "" if weights is None else weights.sha256
    labels = (card.class_name, card.name, card.version, detector.engine, detector.device, sha256)
    return catalogue.MODEL_INFO.series(*labels)


def _register(app: Celery, service: Service, settings: Settings, runtime: Callable[[], Runtime]) -> None:
    def run(task: Task, payload: dict[str, Any]) -> None:
        request = StepRequest.model_validate(payload)
        headers = task.request.headers or {}
        redelivered = bool((task.request.delivery_info or {}).get("redelivered"))
        ids = {"request_id": request.request_id, **trace_ids(headers.get(TRACEPARENT, ""))}
        with structlog.contextvars.bound_contextvars(**ids, step=request.step.value):
            try:
                runtime().run(request, takeover=redelivered and not service.spec.is_long)
            except ServiceError as error:
                # The stack says nothing that the code does not.
                log.error("step_given_up", code=error.code)  # noqa: TRY400 - see above

    soft_s, hard_s = _limits(service.spec, settings)
    app.task(
        run,
        name=service.spec.name,
        bind=True,
        shared=False,
        soft_time_limit=soft_s,
        time_limit=hard_s,
        Request=request_class(settings),
    )


def _limits(spec: TaskSpec, settings: Settings) -> tuple[int, int]:
    """Return after how many seconds a task is told to stop, and after how many it is killed."""
    if spec.is_long:
        return settings.video_limit_s, settings.video_limit_s + settings.soft_limit_s
    return settings.soft_limit_s * spec.length, settings.hard_limit_s * spec.length


def lanes(services: Sequence[Service]) -> list[str]:
    """Return the lanes that a worker of ``services`` fetches from, the most pressing first.

    All interactive lanes come before all bulk ones, so that a photo somebody waits for waits behind the
    bulk steps in work and no others; within a priority later kinds of work come first, so that what is
    begun is ended before more is begun.
    """
    queues = [service.spec.queue for service in reversed(services)]
    return [queue.lane(priority) for priority in Priority for queue in queues]


def make_worker_app(settings: Settings, services: Sequence[Service]) -> Celery:
    """Return a Celery application that serves ``services``; models are loaded in its processes."""
    app = make_celery(settings)
    queues = [service.spec.queue for service in services]
    runtimes: list[Runtime] = []
    for service in services:
        _register(app, service, settings, lambda: runtimes[0])
    app.steps["consumer"].add(consumer_beat(settings, queues))

    def load(**_signal: object) -> None:
        try:
            runtimes[:] = [Runtime(settings, services, app)]
        except ObscuraError as error:
            log.critical("process_cannot_start", code=error.code, error=error.message)
            raise
        runtime = runtimes[0]
        keep = partial(keep_claims, settings, lambda: runtimes[0].claimed)
        for work in (partial(beat_ready, settings, runtime.presence), keep, runtime.observer.report_for_ever):
            threading.Thread(target=work, daemon=True).start()

    def unload(**_signal: object) -> None:
        for runtime in runtimes:
            runtime.observer.close()

    worker_process_init.connect(load, weak=False)
    worker_process_shutdown.connect(unload, weak=False)
    return app


def serve(settings: Settings, services: Sequence[Service]) -> int:
    """Serve ``services`` in this process and its children until a signal ends it; return the exit code."""
    configure_logging(settings.log_level, settings.log_format)
    keep_logging()
    forbid_core_dumps()
    # Celery warns of root because of pickle; only JSON is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    try:
        for service in services:
            service.check(settings)
    except ObscuraError as error:
        log.critical("worker_cannot_start", code=error.code, error=error.message)
        return 1
    app = make_worker_app(settings, services)
    if all(service.spec.is_long for service in services):
        bound_shutdown(LITTLE_PATIENCE_S)
    else:
        bound_shutdown()
    worker = app.Worker(
        queues=lanes(services),
        concurrency=concurrency(settings),
        pool="prefork",
        loglevel=settings.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        # It would go on asking a broker that is gone, and hold up the end of the worker.
        without_heartbeat=True,
        optimization="fair",
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer a container's health check."""
    parser = argparse.ArgumentParser(prog="python -m obscura.worker", description=main.__doc__)
    parser.add_argument("--healthcheck", metavar="QUEUE", type=Queue, required=True)
    queue = parser.parse_args(arguments).healthcheck
    try:
        return 0 if Heartbeats.is_served(Ledger(Settings()).client, queue) else 1
    except RedisError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
