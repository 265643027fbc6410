"""Timed stages of a piece of work.

Where nobody does - in the command line, in a program that uses the library - a part costs a look into a
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
"""What is attributes of a part: numbers and words of ours, never a name, an id or anything out of a photo."""
NANO = 1e-9


class Stage(StrEnum):
    """Parts of work."""

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
    """A part that has begun."""

    name: str
    began: int
    span: Span | None
    outer: "_Open | None"
    inside: int = 0


@dataclass
class StageTimer:
    """Watches one piece of work.

    Attributes
    ----------
    meter
        Where durations go at the end: for each kind of part the sum over the piece of work, each without the
        parts inside of it.
    tracer, span
        Where spans go, and the one that stands for the whole piece of work; None: nowhere.
    """

    meter: Meter
    tracer: Tracer | None = None
    span: Span | None = None
    _sums: dict[str, int] = field(default_factory=dict)

    def begin(self, name: Stage, outer: _Open | None) -> _Open:
        """Note that a part begins, inside of another one or of none."""
        span = None
        if self.tracer is not None and self.span is not None:
            span = self.tracer.begin(name.value, self.span if outer is None else outer.span)
        return _Open(name.value, time.perf_counter_ns(), span, outer)

    def end(self, part: _Open, facts: Facts) -> None:
        """Note that a part has ended."""
        took = time.perf_counter_ns() - part.began
        if part.outer is not None:
            part.outer.inside += took
        self._sums[part.name] = self._sums.get(part.name, 0) + took - part.inside
        if part.name == Stage.DECODE:
            self.meter.observe(catalogue.DECODE, took * NANO, str(facts.get("format", "unknown")))
        if part.span is not None:
            part.span.end(facts)

    def close(self) -> dict[str, int]:
        """Enter the sums of all parts, and return them in nanoseconds."""
        for name, took in self._sums.items():
            self.meter.observe(catalogue.STAGE_DURATION, took * NANO, name)
        return self._sums


_TIMER: ContextVar[StageTimer | None] = ContextVar("obscura_timer", default=None)
# The innermost part that is open; tasks and threads that work side by side have one each.
_OPEN_STAGE: ContextVar[_Open | None] = ContextVar("obscura_stage", default=None)


@contextmanager
def timing_with(timer: StageTimer) -> Iterator[None]:
    """Let ``timer`` see what is done inside."""
    token = _TIMER.set(timer)
    try:
        yield
    finally:
        _TIMER.reset(token)


@contextmanager
def stage(name: Stage, **facts: str | float) -> Iterator[Facts]:
    """Time a part of the work; the block may add to the facts."""
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
    """Time one run of a network: often dozens for one photo, so it gets no span of its own."""
    timer = _TIMER.get()
    if timer is None:
        yield
        return
    began = time.perf_counter_ns()
    yield
    timer.meter.observe(catalogue.INFERENCE, (time.perf_counter_ns() - began) * NANO, model, device)


def count(metric: Metric, *labels: str, by: int = 1) -> None:
    """Add ``by`` to a counter of whoever watches."""
    timer = _TIMER.get()
    if timer is not None and by:
        timer.meter.count(metric, *labels, by=by)


def trace_ids(traceparent: str) -> dict[str, str]:
    """Return what log lines carry of a trace; nothing where there is none."""
    parts = traceparent.split("-")
    return {"trace_id": parts[1]} if len(parts) == len("vtsf") else {}


def trace_context() -> str:
    """Return the W3C traceparent of the work that is watched; empty where it is not traced."""
    timer = _TIMER.get()
    return "" if timer is None or timer.span is None else timer.span.traceparent
