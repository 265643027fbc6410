"""All metrics of /metrics: name, kind, labels, meaning.

A series is kept as text, ``name|label|label``, with whole numbers only; histograms are kept as
``name|label|bound`` (how many were at most ``bound`` and above the bound before) and ``name|label|sum``. No
label ever holds a name, an id, a key or anything else that a caller can choose.
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
        Without `PREFIX`.
    kind, text, labels
        As Prometheus shows them.
    buckets
        Upper bounds of a histogram, in the metric's unit.
    scale
        Whole numbers that are kept per unit: a histogram's sum of seconds is kept in microseconds.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    scale: int = 1

    @property
    def shown_name(self) -> str:
        """The name that Prometheus sees."""
        return PREFIX + self.name

    def series(self, *labels: str) -> str:
        """Return the text of a series; what would break it is replaced in a label's value."""
        if len(labels) != len(self.labels):
            message = f"{self.name} has the labels {self.labels}"
            raise ValueError(message)
        return SEPARATOR.join((self.name, *(label.replace(SEPARATOR, "/") for label in labels)))


def bound_text(bound: float) -> str:
    """Return how a bound is written: 0.25, 10."""
    return f"{bound:.15g}"


def bound_of(value: float, buckets: tuple[float, ...]) -> str:
    """Return the least bound that is not below ``value``, as text."""
    return next((bound_text(bound) for bound in buckets if value <= bound), INFINITE)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _seconds(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels, DURATIONS, MICROSECONDS)


HTTP_REQUESTS = _counter("http_requests_total", "Requests answered", "route", "method", "status")
HTTP_DURATION = _seconds("http_request_duration_seconds", "From head to end of answer", "route", "method")
UPLOAD_BYTES = Metric("upload_bytes", Kind.HISTOGRAM, "Length of bodies that arrived", ("route",), BYTES)
UPLOAD_DURATION = _seconds("upload_duration_seconds", "From head to last byte of a body", "route")
REFUSALS = _counter("refusals_total", "Requests refused, by error code", "code")
UPLOADS_REJECTED = _counter("uploads_rejected_total", "Photos that the gate let not in, by code", "reason")

TASKS = _counter("tasks_total", "Jobs accepted, done and failed", "kind", "state")
TASK_FAILURES = _counter("task_failures_total", "Jobs failed, by error code", "kind", "code")
TASK_DURATION = _seconds("task_duration_seconds", "From a job's acceptance to its end", "kind", "state")
QUEUE_WAIT = _seconds(
    "task_queue_wait_seconds", "From a step's release to its start by a worker", "queue", "priority"
)
STEP_DURATION = _seconds("step_duration_seconds", "From a step's start to its outcome", "step", "state")
STAGE_DURATION = _seconds(
    "stage_duration_seconds", "Parts of a step in a worker, without the parts inside of them", "stage"
)
DECODE = _seconds("decode_seconds", "Opening a photo, by what it is", "format")
INFERENCE = _seconds("inference_duration_seconds", "One run of a network", "model", "device")
DETECTIONS = _counter("detections_total", "Objects found", "class")
SUSPECTS = _counter("review_suspects_total", "Residual detections in finished pictures", "class")
REQUEUED = _counter("reaper_requeued_total", "Steps whose worker was lost and that were sent again", "step")
UNREADABLE = _counter(
    "records_unreadable_total", "Damaged records of jobs and webhooks that were ended or dropped"
)
RECEIVERS_OFF = _counter(
    "webhook_receivers_switched_off_total", "Receivers of webhooks switched off after days of failure"
)
PURGED = _counter("purged_total", "Originals, results, orphans and rows erased", "what")

QUEUE_DEPTH = _gauge("queue_depth", "Steps that wait (queued) or are worked on", "queue", "priority", "state")
QUEUE_MESSAGES = _gauge(
    "queue_messages",
    "Messages handed out to a lane of the broker: one at most while steps wait their turn",
    "queue",
    "priority",
)
QUEUE_LIMIT = _gauge("queue_limit", "Unfinished jobs at which new ones are refused", "priority")
UNFINISHED = _gauge("jobs_unfinished", "Jobs that are not at their end", "kind", "state")
OLDEST = _gauge("oldest_job_age_seconds", "Age of the oldest unfinished job", "kind", "state")
KEPT = _gauge("jobs_kept", "Ended jobs whose rows and results are still kept")
ORIGINALS = _gauge("originals_present", "Originals in the storage")
OVERDUE = _gauge("erasures_overdue", "Objects that should have been erased a minute ago")
AUDIT_WAITING = _gauge("audit_records_waiting", "Records that are not in the audit log's file yet")
WORKERS = _gauge("workers_alive", "Worker processes with their models loaded", "queue")
LAST_CONSUME = _gauge(
    "worker_last_consume_timestamp_seconds", "When a worker last fetched, or waited for, messages", "queue"
)
MODEL_INFO = _gauge(
    "model_info", "Models loaded now", "class", "model", "version", "engine", "device", "sha256"
)
BUILD_INFO = _gauge("build_info", "What runs", "version", "pipeline")
JOB_STORE_UP = _gauge("ledger_up", "Whether Valkey answers")
STORAGE_UP = _gauge("storage_up", "Whether the storage answers")
JOB_STORE_MEMORY = _gauge("ledger_memory_bytes", "Memory that Valkey uses")
JOB_STORE_MEMORY_LIMIT = _gauge("ledger_memory_limit_bytes", "Memory that Valkey may use; 0: no limit")
STORAGE_FREE = _gauge("storage_free_bytes", "Room left where photos lie, where that is a folder")

CATALOGUE: Mapping[str, Metric] = MappingProxyType(
    {item.name: item for item in list(globals().values()) if isinstance(item, Metric)}
)
"""All metrics by their names, in the order above."""
