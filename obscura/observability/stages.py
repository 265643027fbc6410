"""Timed stages of a step or request (validate, decode, detect, ...), as metrics and spans.

Without a `StageTimer`, as in the command line or a program that uses the library, `stage` only reads a
context variable.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from obscura.observability import catalogue
from obscura.observability.catalogue import Metric
from obscura.observability.meter import Meter
from obscura.observability.tracing import Span, Tracer

__all__ = [
    "Facts",
    "Stage",
    "StageTimer",
    "count",
    "inference",
    "stage",
    "timing_with",
    "trace_context",
    "trace_ids",
]

Facts: TypeAlias = dict[str, str | int | float]
"""Attributes of a stage: numbers and fixed words, never a name, an id or data of a photo."""
NANO = 1e-9
TRACEPARENT_PARTS = 4


class Stage(StrEnum):
    """Stages of the work; the values are label values of metrics and names of spans."""

    VALIDATE = "gate"
    READ = "read"
    DECODE = "decode"
    DETECT = "detection"
    REDACT = "redaction"
    VERIFY = "verification"
    RESIDUAL_CHECK = "review"
    COMPARE = "comparison"
    STORE = "store"


@dataclass
class _Open:
    """A stage that has begun; ``inside`` is the time of nested stages in nanoseconds."""

    name: str
    began: int
    span: Span | None
    outer: "_Open | None"
    inside: int = 0


@dataclass
class StageTimer:
    """Times the stages of one step or request.

    Attributes
    ----------
    meter
        Gets, when the timer is closed, the total duration of every kind of stage, without nested stages.
    tracer, span
        Creates the spans of stages, and the span of the whole work; None: no tracing.
    """

    meter: Meter
    tracer: Tracer | None = None
    span: Span | None = None
    _sums: dict[str, int] = field(default_factory=dict)

    def begin(self, name: Stage, outer: _Open | None) -> _Open:
        """Begin a stage, nested in ``outer`` or at the top."""
        span = None
        if self.tracer is not None and self.span is not None:
            span = self.tracer.begin(name.value, self.span if outer is None else outer.span)
        return _Open(name.value, time.perf_counter_ns(), span, outer)

    def end(self, part: _Open, facts: Facts) -> None:
        """End a stage with its attributes."""
        took = time.perf_counter_ns() - part.began
        if part.outer is not None:
            part.outer.inside += took
        self._sums[part.name] = self._sums.get(part.name, 0) + took - part.inside
        if part.name == Stage.DECODE:
            self.meter.observe(catalogue.DECODE, took * NANO, str(facts.get("format", "unknown")))
        if part.span is not None:
            part.span.end(facts)

    def close(self) -> dict[str, int]:
        """Add the total durations to the meter; return them in nanoseconds by stage."""
        for name, took in self._sums.items():
            self.meter.observe(catalogue.STAGE_DURATION, took * NANO, name)
        return self._sums


_TIMER: ContextVar[StageTimer | None] = ContextVar("obscura_timer", default=None)
# The innermost open stage of the current task or thread.
_OPEN_STAGE: ContextVar[_Open | None] = ContextVar("obscura_stage", default=None)


@contextmanager
def timing_with(timer: StageTimer) -> Iterator[None]:
    """Use ``timer`` for the stages in the block."""
    token = _TIMER.set(timer)
    try:
        yield
    finally:
        _TIMER.reset(token)


@contextmanager
def stage(name: Stage, **facts: str | float) -> Iterator[Facts]:
    """Time the block as a stage; yields its attributes, to which the block may add."""
    timer = _TIMER.get()
    if timer is None:
        yield {}
        return
    part = timer.begin(name, _OPEN_STAGE.get())
    token = _OPEN_STAGE.set(part)
    attributes: Facts = dict(facts)
    try:
        yield attributes
    finally:
        _OPEN_STAGE.reset(token)
        timer.end(part, attributes)


@contextmanager
def inference(model: str, device: str) -> Iterator[None]:
    """Time one run of a network; without a span, as there may be dozens per photo."""
    timer = _TIMER.get()
    if timer is None:
        yield
        return
    began = time.perf_counter_ns()
    yield
    timer.meter.observe(catalogue.INFERENCE, (time.perf_counter_ns() - began) * NANO, model, device)


def count(metric: Metric, *labels: str, by: int = 1) -> None:
    """Add ``by`` to a counter of the current timer's meter, if there is one."""
    timer = _TIMER.get()
    if timer is not None and by:
        timer.meter.count(metric, *labels, by=by)


def trace_ids(traceparent: str) -> dict[str, str]:
    """Return the log fields of a W3C traceparent (``version-trace-span-flags``), empty for another text."""
    parts = traceparent.split("-")
    return {"trace_id": parts[1]} if len(parts) == TRACEPARENT_PARTS else {}


def trace_context() -> str:
    """Return the W3C traceparent of the current work, empty if it is not traced."""
    timer = _TIMER.get()
    return "" if timer is None or timer.span is None else timer.span.traceparent
