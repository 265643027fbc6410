"""All metrics of /metrics: name, kind, labels, meaning.

A series is stored under ``name|label|label`` with an integer value. Histograms are stored as
``name|label|bound`` (the count of values in the bucket up to ``bound``, not cumulative) and
``name|label|sum``. No label contains a name, an id, a key or anything else that a client can choose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = ["CATALOGUE", "PREFIX", "Kind", "Metric", "bound_of", "bound_text"]

PREFIX = "obscura_"
SEPARATOR = "|"
SUM = "sum"
INFINITE = "+Inf"
DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
BYTES = (1e4, 1e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7, 5e7, 1e8)
MICROSECONDS = 1_000_000


class Kind(StrEnum):
    """Prometheus' kinds of metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name
        Name without `PREFIX`.
    kind, text, labels
        Kind, help text and label names for Prometheus.
    buckets
        Upper bounds of a histogram, in the metric's unit.
    scale
        Integer units per unit of the metric: the sum of a histogram in seconds is stored in microseconds.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    scale: int = 1

    @property
    def shown_name(self) -> str:
        """The name in Prometheus."""
        return PREFIX + self.name

    def series(self, *labels: str) -> str:
        """Return the key of the series with these label values, in which separators are replaced by ``/``."""
        if len(labels) != len(self.labels):
            message = f"{self.name} has the labels {self.labels}"
            raise ValueError(message)
        return SEPARATOR.join((self.name, *(label.replace(SEPARATOR, "/") for label in labels)))


def bound_text(bound: float) -> str:
    """Return a bucket bound as text: 0.25, 10."""
    return f"{bound:.15g}"


def bound_of(value: float, buckets: tuple[float, ...]) -> str:
    """Return the upper bound of the bucket of ``value``, as text."""
    return next((bound_text(bound) for bound in buckets if value <= bound), INFINITE)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _seconds(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels, DURATIONS, MICROSECONDS)


HTTP_REQUESTS = _counter("http_requests_total", "Requests answered", "route", "method", "status")
HTTP_DURATION = _seconds(
    "http_request_duration_seconds", "From request head to end of response", "route", "method"
)
UPLOAD_BYTES = Metric("upload_bytes", Kind.HISTOGRAM, "Length of request bodies", ("route",), BYTES)
UPLOAD_DURATION = _seconds("upload_duration_seconds", "From request head to last byte of the body", "route")
REFUSALS = _counter("refusals_total", "Requests refused, by error code", "code")
UPLOADS_REJECTED = _counter(
    "uploads_rejected_total", "Photos that input validation refused, by code", "reason"
)

TASKS = _counter("tasks_total", "Jobs accepted, done and failed", "kind", "state")
TASK_FAILURES = _counter("task_failures_total", "Jobs failed, by error code", "kind", "code")
TASK_DURATION = _seconds("task_duration_seconds", "From a job's acceptance to its end", "kind", "state")
QUEUE_WAIT = _seconds(
    "task_queue_wait_seconds", "From a step's release to its start by a worker", "queue", "priority"
)
STEP_DURATION = _seconds("step_duration_seconds", "From a step's start to its outcome", "step", "state")
STAGE_DURATION = _seconds(
    "stage_duration_seconds", "Stages of a step in a worker, without nested stages", "stage"
)
DECODE = _seconds("decode_seconds", "Decoding a photo, by format", "format")
INFERENCE = _seconds("inference_duration_seconds", "One run of a network", "model", "device")
DETECTIONS = _counter("detections_total", "Objects detected", "class")
RESIDUAL_DETECTIONS = _counter("review_suspects_total", "Residual detections in finished pictures", "class")
REQUEUED = _counter("reaper_requeued_total", "Steps whose worker was lost and that were sent again", "step")
UNREADABLE = _counter(
    "records_unreadable_total", "Damaged records of jobs and webhooks that were ended or dropped"
)
RECEIVERS_OFF = _counter(
    "webhook_receivers_switched_off_total", "Receivers of webhooks switched off after days of failure"
)
PURGED = _counter("purged_total", "Originals, results, orphans and records erased", "what")

QUEUE_DEPTH = _gauge("queue_depth", "Steps that wait (queued) or are worked on", "queue", "priority", "state")
QUEUE_MESSAGES = _gauge(
    "queue_messages",
    "Messages in a priority queue of the broker; further steps wait in the fair queue",
    "queue",
    "priority",
)
QUEUE_LIMIT = _gauge("queue_limit", "Unfinished jobs at which new ones are refused", "priority")
UNFINISHED = _gauge("jobs_unfinished", "Unfinished jobs", "kind", "state")
OLDEST = _gauge("oldest_job_age_seconds", "Age of the oldest unfinished job", "kind", "state")
KEPT = _gauge("jobs_kept", "Finished jobs whose records and results are kept")
ORIGINALS = _gauge("originals_present", "Originals in the storage")
OVERDUE = _gauge("erasures_overdue", "Objects that should have been erased a minute ago")
AUDIT_WAITING = _gauge("audit_records_waiting", "Audit records that are not in the file yet")
WORKERS = _gauge("workers_alive", "Worker processes with their models loaded", "queue")
LAST_CONSUME = _gauge(
    "worker_last_consume_timestamp_seconds", "When a worker last fetched, or waited for, messages", "queue"
)
MODEL_INFO = _gauge(
    "model_info", "Models loaded now", "class", "model", "version", "engine", "device", "sha256"
)
BUILD_INFO = _gauge("build_info", "Version and pipeline", "version", "pipeline")
JOB_STORE_UP = _gauge("ledger_up", "Whether Valkey answers")
STORAGE_UP = _gauge("storage_up", "Whether the storage answers")
JOB_STORE_MEMORY = _gauge("ledger_memory_bytes", "Memory that Valkey uses")
JOB_STORE_MEMORY_LIMIT = _gauge("ledger_memory_limit_bytes", "Memory that Valkey may use; 0: no limit")
STORAGE_FREE = _gauge("storage_free_bytes", "Free bytes of the storage folder")

CATALOGUE: Mapping[str, Metric] = MappingProxyType(
    {item.name: item for item in list(globals().values()) if isinstance(item, Metric)}
)
"""All metrics by their names, in the order above."""
