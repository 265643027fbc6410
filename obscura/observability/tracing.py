"""OpenTelemetry traces; off unless settings name a collector or a file.

OpenTelemetry is imported only if a collector or a file is named; without both there is no tracer.
"""

import os
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obscura.errors import TracingUnavailableError
from obscura.settings import Settings

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Role", "Span", "Tracer", "open_tracer"]

# Interval of exports.
SEND_EVERY_MS = 1000
TRACES_PATH = "/v1/traces"
HEADER = "traceparent"


class Role(StrEnum):
    """The kind of a span in OpenTelemetry: internal, of a server, or of a message consumer."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CONSUMER = "CONSUMER"


class Span:
    """A span that has begun."""

    def __init__(self, span: "trace.Span") -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """The W3C traceparent, with which another process begins a child span."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    @property
    def trace_id(self) -> str:
        """The trace id, in hex."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def set_attributes(self, facts: Mapping[str, str | int | float]) -> None:
        """Set attributes of the span."""
        for key, value in facts.items():
            self._span.set_attribute(key, value)

    def end(
        self, facts: Mapping[str, str | int | float], *, name: str = "", error: str = "", at_ns: int = 0
    ) -> None:
        """End the span, now or at ``at_ns`` (nanoseconds since 1970); ``error`` is an error code or empty."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - only where traces are wanted

        if name:
            self._span.update_name(name)
        self.set_attributes(facts)
        if error:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(at_ns or time.time_ns())


class Tracer:
    """Begins spans; the exporters of the settings get them when they have ended."""

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - the SDK is there only where traces are wanted
        self._provider = provider
        self._tracer: trace.Tracer = provider.get_tracer("obscura")

    def begin(
        self, name: str, parent: Span | str | None, *, role: Role = Role.INTERNAL, at_ns: int = 0
    ) -> Span:
        """Begin a span, now or at ``at_ns``. An empty or invalid ``parent`` begins a new trace."""
        from opentelemetry import trace  # noqa: PLC0415 - only where traces are wanted
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - the same
            TraceContextTextMapPropagator,
        )

        if isinstance(parent, Span):
            context = trace.set_span_in_context(parent._span)  # noqa: SLF001 - its own class
        else:
            context = TraceContextTextMapPropagator().extract({HEADER: parent} if parent else {})
        kind = trace.SpanKind[role.value]
        return Span(self._tracer.start_span(name, context, kind, start_time=at_ns or time.time_ns()))

    def close(self) -> None:
        """Export the remaining spans and stop."""
        self._provider.shutdown()


def open_tracer(settings: Settings, service: str) -> Tracer | None:
    """Return the tracer of this process, None if the settings name neither a collector nor a file.

    Call it after the fork, since exporters have threads.

    Raises
    ------
    TracingUnavailableError
        If the extra ``tracing`` is not installed, or the file cannot be written.
    """
    if settings.trace_endpoint is None and settings.trace_file is None:
        return None
    try:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only where traces are wanted
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415 - the same
    except ImportError as error:
        message = (
            "tracing is configured, but OpenTelemetry is not installed: pip install 'obscura-photo[tracing]'"
        )
        raise TracingUnavailableError(message) from error
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.trace_share)),
        resource=Resource.create({"service.name": f"obscura-{service}", "process.pid": os.getpid()}),
        # `Tracer.close` shuts it down.
        shutdown_on_exit=False,
    )
    for exporter in _exporters(settings):
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS))
    return Tracer(provider)


def _exporters(settings: Settings) -> "Sequence[SpanExporter]":
    found: list[SpanExporter] = []
    if settings.trace_endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above

        address = settings.trace_endpoint.rstrip("/")
        has_path = urlsplit(address).path != ""
        found.append(OTLPSpanExporter(endpoint=address if has_path else address + TRACES_PATH))
    if settings.trace_file is not None:
        found.append(_file_exporter(settings.trace_file))
    return found


def _file_exporter(path: Path) -> "SpanExporter":
    """Return an exporter that appends spans to a file shared by all processes, one JSON object per line."""
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - only where traces are wanted
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415 - the same

    class FileExporter(SpanExporter):
        """Appends each batch with one write, so that batches of several processes do not mix."""

        def __init__(self) -> None:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            lines = "".join(span.to_json(indent=None) + "\n" for span in spans)
            try:
                os.write(self._file, lines.encode())
            except OSError:
                return SpanExportResult.FAILURE
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            os.close(self._file)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileExporter()
    except OSError as error:
        message = f"the file of traces cannot be written ({error.strerror})"
        raise TracingUnavailableError(message) from error
