"""Traces into a file, and none where none are wanted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from obscura.errors import TracingUnavailableError
from obscura.observability import (
    Meter,
    Role,
    Stage,
    StageTimer,
    open_tracer,
    stage,
    timing_with,
    trace_context,
)
from obscura.settings import Settings

LOADED = """
import sys
from obscura.observability import open_tracer
from obscura.settings import Settings
assert open_tracer(Settings(), "worker") is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_without_a_collector_or_a_file_nothing_is_loaded() -> None:
    """OpenTelemetry costs neither time nor memory where traces are off."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_parts_of_two_processes_make_one_trace(tmp_path: Path) -> None:
    """A step hangs under the request whose traceparent it was given, its parts under the step."""
    file = tmp_path / "new" / "traces.jsonl"
    settings = Settings(trace_file=file)
    gateway, worker = open_tracer(settings, "gateway"), open_tracer(settings, "worker")
    assert gateway is not None
    assert worker is not None
    request = gateway.begin("POST", "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", role=Role.SERVER)
    step = worker.begin("redact", request.traceparent, role=Role.CONSUMER)
    watch = StageTimer(Meter(), worker, step)
    with timing_with(watch):
        assert trace_context() == step.traceparent
        with stage(Stage.REDACT, regions=2), stage(Stage.VERIFY):
            pass
    step.end({}, error="photo_too_costly")
    request.end({"http.route": "/blur"}, name="POST /blur")
    worker.close()
    gateway.close()
    spans = {span["name"]: span for span in map(json.loads, file.read_text().splitlines())}
    assert {span["context"]["trace_id"] for span in spans.values()} == {"0x" + "ab" * 16}
    parents = {name: span["parent_id"] for name, span in spans.items()}
    ids = {name: span["context"]["span_id"] for name, span in spans.items()}
    assert parents == {
        "POST /blur": "0x" + "cd" * 8,
        "redact": ids["POST /blur"],
        "redaction": ids["redact"],
        "verification": ids["redaction"],
    }
    assert spans["redaction"]["attributes"] == {"regions": 2}
    assert spans["redact"]["status"] == {"status_code": "ERROR", "description": "photo_too_costly"}


def test_a_traceparent_that_is_none_begins_a_trace(tmp_path: Path) -> None:
    """Whatever a caller sends, the request is served and traced."""
    tracer = open_tracer(Settings(trace_file=tmp_path / "t"), "gateway")
    assert tracer is not None
    for text in ("", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
        span = tracer.begin("GET", text)
        assert span.trace_id != "0" * 32
        span.end({})
    tracer.close()


def test_a_file_that_cannot_be_written_is_said_at_start(tmp_path: Path) -> None:
    """A clear error, and not traces that are missing when somebody wants them."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TracingUnavailableError):
        open_tracer(Settings(trace_file=tmp_path / "file" / "traces.jsonl"), "gateway")
