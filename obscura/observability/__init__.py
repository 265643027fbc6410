"""Logs, metrics and traces. They contain no personal data.

Logging is configured by `obscura.observability.logs`, which only services import: its library loads slowly.
"""

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
    "count",
    "inference",
    "open_tracer",
    "stage",
    "timing_with",
    "trace_context",
    "trace_ids",
]
