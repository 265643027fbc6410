"""Numbers of many processes, added up on a real server and shown to Prometheus."""

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from gateway_service.metrics.exposition import expose
from obscura.contract import JobKind, JobOptions, ObjectClass, Priority, Queue, Step
from obscura.jobs import JobStore, NewJob
from obscura.jobs.commands import METRICS
from obscura.jobs.counters import flush_counters
from obscura.jobs.stats_snapshot import stats_snapshot
from obscura.jobs.worker_registry import (
    HEARTBEAT_TTL_S,
    WorkerRegistration,
    record_consuming,
    register_worker,
    worker_series,
)
from obscura.observability import Meter, catalogue
from obscura.observability.catalogue import CATALOGUE, SEPARATOR, Kind
from obscura.settings import Settings
from tests.job_stores import with_job_store

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(page: bytes) -> Samples:
    """Return all samples of a page, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def job(job_id: str, priority: Priority = Priority.INTERACTIVE) -> NewJob:
    """Return a job of one step."""
    options = JobOptions(classes=(ObjectClass.FACE,), priority=priority)
    return NewJob(job_id, JobKind.DETECT, options, f"photos/{job_id}")


def claim(job_store: JobStore, job_id: str) -> object:
    """Claim the step of a job."""
    claimed = job_store.run(job_store.calls.claim(job_id, Step.DETECT_FACES, "t", takeover=False))
    assert claimed is not None
    return claimed


def test_what_processes_counted_adds_up(settings: Settings) -> None:
    """Counters are sums, histograms cumulative with all values in the last bucket; seconds stay seconds."""
    client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
    for waits in ((0.003, 0.2), (0.2, 400.0)):
        meter = Meter()
        meter.count(catalogue.DETECTIONS, "face", by=3)
        for wait in waits:
            meter.observe(catalogue.STAGE_DURATION, wait, "read")
        flush_counters(client, meter)
        assert meter.pending() == {}
    found = samples(expose(with_job_store(settings, stats_snapshot), "")[0])
    assert found["obscura_detections_total", frozenset({("class", "face")})] == 6
    name, labels = "obscura_stage_duration_seconds", {("stage", "read")}
    buckets = {
        bound: found[f"{name}_bucket", frozenset({*labels, ("le", bound)})] for bound in ("0.005", "0.25")
    }
    assert buckets == {"0.005": 1, "0.25": 3}
    assert found[f"{name}_bucket", frozenset({*labels, ("le", "+Inf")})] == 4
    assert found[f"{name}_count", frozenset(labels)] == 4
    assert found[f"{name}_sum", frozenset(labels)] == pytest.approx(400.403)
    client.close()


def test_nothing_is_lost_while_the_server_is_away(settings: Settings) -> None:
    """What could not be handed over is handed over later, once, with what came in between."""
    meter = Meter()
    meter.count(catalogue.REFUSALS, "queue_full")
    flush_counters(redis.Redis(host="127.0.0.1", port=1), meter)
    meter.count(catalogue.REFUSALS, "queue_full")
    client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
    flush_counters(client, meter)
    flush_counters(client, meter)
    assert client.hgetall(METRICS) == {"refusals_total|queue_full": "2"}
    client.close()


def test_the_ledger_counts_every_end_and_every_wait(settings: Settings) -> None:
    """Jobs by kind and end, failures by code, waits and steps: in the step that changes the job."""
    job_store = JobStore(settings)
    for name in ("good", "bad", "left"):
        job_store.run(job_store.calls.create(job(name)))
    done = job_store.run(job_store.calls.claim("good", Step.DETECT_FACES, "t", takeover=False))
    failed = job_store.run(job_store.calls.claim("bad", Step.DETECT_FACES, "u", takeover=False))
    assert done is not None
    assert failed is not None
    assert 0 < done.released <= done.began
    job_store.run(job_store.calls.complete(done, {"x": "y"}))
    job_store.run(job_store.calls.complete(done, {"x": "y"}))
    job_store.run(job_store.calls.fail(failed.lease, "too_many_pixels", "no"))
    series = with_job_store(settings, stats_snapshot)
    assert [series[f"tasks_total|detect|{state}"] for state in ("accepted", "done", "failed")] == [3, 1, 1]
    assert series["task_failures_total|detect|too_many_pixels"] == 1
    found = samples(expose(series, "")[0])
    waits = frozenset({("queue", "detect.faces"), ("priority", "interactive")})
    assert found["obscura_task_queue_wait_seconds_count", waits] == 2
    steps = frozenset({("step", "detect_faces"), ("state", "done")})
    assert found["obscura_step_duration_seconds_count", steps] == 1
    assert (
        found["obscura_task_duration_seconds_count", frozenset({("kind", "detect"), ("state", "done")})] == 1
    )
    job_store.close()


def test_every_series_that_is_kept_is_in_the_catalogue(settings: Settings) -> None:
    """The scripts and the catalogue agree on names and labels: nothing that is counted is left out."""
    job_store = JobStore(settings)
    job_store.run(job_store.calls.create(job("one")))
    claimed = job_store.run(job_store.calls.claim("one", Step.DETECT_FACES, "t", takeover=False))
    assert claimed is not None
    job_store.run(job_store.calls.fail(claimed.lease, "undecodable_photo", "no"))
    kept = job_store.client.hgetall(METRICS)
    assert isinstance(kept, dict)
    assert kept
    for series in kept:
        name, *labels = str(series).split(SEPARATOR)
        metric = CATALOGUE[name]
        assert len(labels) == len(metric.labels) + (metric.kind is Kind.HISTOGRAM), series
    job_store.close()


def test_depths_are_counted_by_queue_lane_and_state(settings: Settings) -> None:
    """Steps that wait and steps in work are told apart; ended jobs are in neither."""
    job_store = JobStore(settings)
    for name in ("a", "b", "c"):
        job_store.run(job_store.calls.create(job(name)))
    for name in ("d", "e"):
        job_store.run(job_store.calls.create(job(name, Priority.BULK)))
    claim(job_store, "a")
    done = job_store.run(job_store.calls.claim("d", Step.DETECT_FACES, "t", takeover=False))
    assert done is not None
    job_store.run(job_store.calls.complete(done, {"x": "y"}))
    series = with_job_store(settings, stats_snapshot)
    depth = {
        (priority_queue, state): series[f"queue_depth|detect.faces|{priority_queue}|{state}"]
        for priority_queue in Priority
        for state in ("queued", "running")
    }
    assert depth == {
        ("interactive", "queued"): 2,
        ("interactive", "running"): 1,
        ("bulk", "queued"): 1,
        ("bulk", "running"): 0,
    }
    assert series["jobs_unfinished|detect|queued"] == 3
    assert series["jobs_unfinished|detect|running"] == 1
    assert series["oldest_job_age_seconds|detect|running"] >= 0
    assert series["queue_depth|redact|interactive|queued"] == 0
    job_store.close()


def test_a_silent_worker_is_not_counted(settings: Settings) -> None:
    """Processes count while they speak, each once; when their consumer last turned is remembered."""
    client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
    model = catalogue.MODEL_INFO.series("face", "m|1", "1", "onnx", "cpu", "ab")
    for token in ("p", "q", "q"):
        register_worker(client, WorkerRegistration(token, (Queue.FACES, Queue.REDACTION), (model,)))
    record_consuming(client, (Queue.FACES,))
    seconds, _ = client.time()
    now = with_job_store(settings, lambda job_store: worker_series(job_store.client, seconds))
    assert (now["workers_alive|detect.faces"], now["workers_alive|redact"]) == (2, 2)
    assert now["model_info|face|m/1|1|onnx|cpu|ab"] == 1
    later = with_job_store(
        settings, lambda job_store: worker_series(job_store.client, seconds + HEARTBEAT_TTL_S + 2.0)
    )
    assert later == {"worker_last_consume_timestamp_seconds|detect.faces": pytest.approx(seconds, abs=30)}
    client.close()


def test_what_another_release_counted_is_left_out() -> None:
    """Unknown names and labels that do not fit spoil no page."""
    series = {"future_total|x": 1.0, "detections_total|face|large": 2.0, "stage_duration_seconds|": 3.0}
    shown = samples(expose(series, "")[0])
    assert not [name for name, _ in shown if not name.startswith("process_")]


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_both_formats_hold_every_metric(accept: str) -> None:
    """All names of the catalogue are described, also where there is no value yet."""
    page, media_type = expose({}, accept)
    assert media_type.startswith(accept.partition(";")[0] or "text/plain")
    for metric in CATALOGUE.values():
        name = metric.shown_name.removesuffix("_total") if accept else metric.shown_name
        assert f"# TYPE {name} {metric.kind}\n" in page.decode()
