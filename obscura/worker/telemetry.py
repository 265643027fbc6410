"""Logs, metrics and traces of a worker's steps."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
import structlog
from billiard.util import get_logger
from celery.signals import setup_logging

from obscura.jobs import Claimed
from obscura.jobs.counters import flush_counters
from obscura.observability import Meter, Role, Span, StageTimer, Tracer, open_tracer, timing_with
from obscura.settings import Settings

__all__ = ["StepMeasurement", "StepTelemetry", "use_own_logging"]

REPORT_S = 1.0
NANO = 1e9
log = structlog.get_logger(__name__)


def use_own_logging() -> None:
    """Keep Celery from configuring logging: its records use the handlers of `configure_logging`."""
    # Celery leaves logging alone if this signal has a receiver.
    setup_logging.connect(_is_set_up, weak=False)


def _is_set_up(**_signal: object) -> None:
    """Send the records of billiard's logger to the root logger; Celery has just replaced its handlers."""
    logger = get_logger()
    logger.handlers.clear()
    logger.propagate = True


@dataclass
class StepMeasurement:
    """The outcome of a step: the error code that it ended with, empty on success."""

    code: str = ""


class StepTelemetry:
    """Logs, meters and traces the steps of one pool process; create it after the fork.

    Raises
    ------
    TracingUnavailableError
        If tracing is configured but cannot be started.
    """

    def __init__(self, settings: Settings, client: redis.Redis) -> None:
        self._client = client
        self._meter = Meter()
        self._tracer: Tracer | None = open_tracer(settings, "worker")

    def flush_forever(self) -> None:
        """Add the counters to the job store once a second; never returns, run it in a thread."""
        pause = threading.Event()
        while True:
            pause.wait(REPORT_S)
            flush_counters(self._client, self._meter)

    def close(self) -> None:
        """Add the remaining counters to the job store and export the remaining spans."""
        flush_counters(self._client, self._meter)
        if self._tracer is not None:
            self._tracer.close()

    @contextmanager
    def step(self, claimed: Claimed) -> Iterator[StepMeasurement]:
        """Measure the block that works on a claimed step; write a log line and end its span afterwards."""
        began = time.perf_counter()
        span = None if self._tracer is None else self._begin(self._tracer, claimed)
        timer = StageTimer(self._meter, self._tracer, span)
        measurement = StepMeasurement()
        try:
            with timing_with(timer):
                yield measurement
        finally:
            stages = timer.close()
            if span is not None:
                span.end({}, error=measurement.code)
            log.info(
                "step_ended",
                kind=claimed.record.kind.value,
                outcome=measurement.code or "done",
                ms=_milliseconds(time.perf_counter() - began),
                waited_ms=_milliseconds(max(0.0, claimed.began - claimed.released)),
                stages_ms={name: _milliseconds(took / NANO) for name, took in stages.items()},
            )

    @staticmethod
    def _begin(tracer: Tracer, claimed: Claimed) -> Span:
        """Begin the span of the step, and add a finished span for its time in the queue."""
        record, step = claimed.record, claimed.step.value
        facts = {
            "obscura.kind": record.kind.value,
            "obscura.step": step,
            "obscura.request_id": record.request_id,
        }
        if 0 < claimed.released <= claimed.began:
            # Both times are the job store's, whose clock may be another machine's.
            waited = tracer.begin("queue wait", record.trace, at_ns=int(claimed.released * NANO))
            waited.end(
                {**facts, "obscura.priority": record.options.priority.value}, at_ns=int(claimed.began * NANO)
            )
        span = tracer.begin(step, record.trace, role=Role.CONSUMER)
        span.set_attributes(facts)
        return span


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
