"""Logs, metrics and traces. They contain no personal data."""

from obscura.observability.logs import configure_logging, forbid_core_dumps
from obscura.observability.meter import Meter
from obscura.observability.stages import (
    Stage,
    StageTimer,
    count,
    inference,
    stage,
    timing_with,
    trace_context,
    trace_ids,
)
from obscura.observability.tracing import Role, Span, Tracer, open_tracer

__all__ = [
    "Meter",
    "Role",
    "Span",
    "Stage",
    "StageTimer",
    "Tracer",
    "configure_logging",
    "count",
    "forbid_core_dumps",
    "inference",
    "open_tracer",
    "stage",
    "timing_with",
    "trace_context",
    "trace_ids",
]
