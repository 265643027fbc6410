"""The Celery worker process: tasks, processes, queues, shutdown."""

import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from celery import Celery, Task
from celery.exceptions import SecurityWarning
from celery.signals import worker_process_init, worker_process_shutdown

from obscura.contract import Priority, StepRequest, TaskSpec
from obscura.errors import ObscuraError, ServiceError
from obscura.jobs.celery_app import TRACEPARENT, make_celery
from obscura.observability import trace_ids
from obscura.observability.logs import configure_logging, forbid_core_dumps
from obscura.settings import Settings
from obscura.worker.failures import LONG_STEP_GRACE_S, bound_shutdown, request_class
from obscura.worker.heartbeat import consumer_heartbeat, extend_leases, touch_ready
from obscura.worker.malloc_tuning import tune_malloc
from obscura.worker.runtime import Runtime
from obscura.worker.service import Service, concurrency
from obscura.worker.telemetry import use_own_logging

__all__ = ["make_worker_app", "priority_queues", "serve"]

log = structlog.get_logger(__name__)


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
                log.error("step_given_up", code=error.code)  # noqa: TRY400 - the code says where it failed

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
    """Return the soft and the hard time limit of a task, in seconds."""
    if spec.is_long:
        return settings.video_limit_s, settings.video_limit_s + settings.soft_limit_s
    return settings.soft_limit_s * spec.length, settings.hard_limit_s * spec.length


def priority_queues(services: Sequence[Service]) -> list[str]:
    """Return the names of the priority queues that a worker of ``services`` consumes, in order of precedence.

    All interactive queues come before all bulk queues. Within a priority, later steps of a job come first, so
    that jobs in work are finished before new ones are started.
    """
    queues = [service.spec.queue for service in reversed(services)]
    return [queue.priority_queue(priority) for priority in Priority for queue in queues]


def make_worker_app(settings: Settings, services: Sequence[Service]) -> Celery:
    """Return a Celery application that serves ``services``; models are loaded in its pool processes."""
    app = make_celery(settings)
    queues = [service.spec.queue for service in services]
    runtimes: list[Runtime] = []
    for service in services:
        _register(app, service, settings, lambda: runtimes[0])
    app.steps["consumer"].add(consumer_heartbeat(settings, queues))

    def load(**_signal: object) -> None:
        tune_malloc()
        try:
            runtimes[:] = [Runtime(settings, services, app)]
        except ObscuraError as error:
            log.critical("process_cannot_start", code=error.code, error=error.message)
            raise
        runtime = runtimes[0]
        for work in (
            partial(touch_ready, settings, runtime.registration),
            partial(extend_leases, settings, lambda: runtimes[0].claimed),
            runtime.step_telemetry.flush_forever,
        ):
            threading.Thread(target=work, daemon=True).start()

    def unload(**_signal: object) -> None:
        for runtime in runtimes:
            runtime.step_telemetry.close()

    worker_process_init.connect(load, weak=False)
    worker_process_shutdown.connect(unload, weak=False)
    return app


def serve(settings: Settings, services: Sequence[Service]) -> int:
    """Run a worker of ``services`` until a signal ends it; return the exit code.

    It is 1, with a log line, if the check of a service fails (weights missing, settings unusable).
    """
    configure_logging(settings.log_level, settings.log_format)
    use_own_logging()
    forbid_core_dumps()
    # Celery warns about root because of pickle; only JSON is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    try:
        for service in services:
            service.check(settings)
    except ObscuraError as error:
        log.critical("worker_cannot_start", code=error.code, error=error.message)
        return 1
    app = make_worker_app(settings, services)
    if all(service.spec.is_long for service in services):
        bound_shutdown(LONG_STEP_GRACE_S)
    else:
        bound_shutdown()
    worker = app.Worker(
        queues=priority_queues(services),
        concurrency=concurrency(settings),
        pool="prefork",
        loglevel=settings.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        # Celery's broker heartbeat keeps trying a broker that is gone, and delays the worker's shutdown.
        without_heartbeat=True,
        optimization="fair",
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
