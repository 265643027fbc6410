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
from obscura.jobs.counters import hand_over
from obscura.observability import Meter, Role, Span, Tracer, Watch, open_tracer, watching
from obscura.settings import Settings

__all__ = ["StepMeasurement", "StepTelemetry", "keep_logging"]

REPORT_S = 1.0
NANO = 1e9
log = structlog.get_logger(__name__)


def keep_logging() -> None:
    """Keep Celery and its pool from lines in a form of their own."""
    # Whoever listens to this signal has set logging up, says Celery.
    setup_logging.connect(_is_set_up, weak=False)


def _is_set_up(**_signal: object) -> None:
    """Let the pool's lines go where all others go; Celery has just made its logger anew."""
    logger = get_logger()
    logger.handlers.clear()
    logger.propagate = True


@dataclass
class StepMeasurement:
    """What became of a step: the code of the error it ended with, empty where it ended well."""

    code: str = ""


class StepTelemetry:
    """Observes the steps of one process; made after the fork.

    Raises
    ------
    TracingUnavailableError
        If traces are wanted and cannot be made.
    """

    def __init__(self, settings: Settings, client: redis.Redis) -> None:
        self._client = client
        self._meter = Meter()
        self._tracer: Tracer | None = open_tracer(settings, "worker")

    def report_for_ever(self) -> None:
        """Hand over what was counted, once a second, in a thread of its own."""
        pause = threading.Event()
        while True:
            pause.wait(REPORT_S)
            hand_over(self._client, self._meter)

    def close(self) -> None:
        """Hand over the rest: the process ends."""
        hand_over(self._client, self._meter)
        if self._tracer is not None:
            self._tracer.close()

    @contextmanager
    def step(self, claimed: Claimed) -> Iterator[StepMeasurement]:
        """Observe what is done with a claimed step, until it has ended."""
        began = time.perf_counter()
        span = None if self._tracer is None else self._begin(self._tracer, claimed)
        watch = Watch(self._meter, self._tracer, span)
        seen = StepMeasurement()
        try:
            with watching(watch):
                yield seen
        finally:
            stages = watch.close()
            if span is not None:
                span.end({}, error=seen.code)
            log.info(
                "step_ended",
                kind=claimed.record.kind.value,
                outcome=seen.code or "done",
                ms=_milliseconds(time.perf_counter() - began),
                waited_ms=_milliseconds(max(0.0, claimed.began - claimed.released)),
                stages_ms={name: _milliseconds(took / NANO) for name, took in stages.items()},
            )

    @staticmethod
    def _begin(tracer: Tracer, claimed: Claimed) -> Span:
        """Begin the step's span, beside one for the time that it waited."""
        record, step = claimed.record, claimed.step.value
        facts = {
            "obscura.kind": record.kind.value,
            "obscura.step": step,
            "obscura.request_id": record.request_id,
        }
        if 0 < claimed.released <= claimed.began:
            # By the ledger's clock, which is another machine's perhaps.
            waited = tracer.begin("queue wait", record.trace, at_ns=int(claimed.released * NANO))
            waited.end(
                {**facts, "obscura.priority": record.options.priority.value}, at_ns=int(claimed.began * NANO)
            )
        span = tracer.begin(step, record.trace, role=Role.CONSUMER)
        span.note(facts)
        return span


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
