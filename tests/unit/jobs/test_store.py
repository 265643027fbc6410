"""The job store on a real server."""

import time
from collections.abc import Iterator
from threading import Barrier, Thread

import pytest
import redis  # noqa: TC002 - of a runtime annotation

from obscura.contract import (
    STEP_TASKS,
    DetectedObject,
    DetectionResult,
    ImageInfo,
    JobKind,
    JobOptions,
    ModelInfo,
    ObjectClass,
    Pipeline,
    Queue,
    Step,
    queues_of,
)
from obscura.errors import IdempotencyConflictError, QueueFullError, QueueUnavailableError, UnknownTaskError
from obscura.jobs import Claimed, JobState, JobStore, NewJob
from obscura.jobs.claims import Completed
from obscura.jobs.commands import ACTIVE, ERASE, EXPIRY
from obscura.settings import Settings

PART = DetectionResult(
    image=ImageInfo(width=640, height=480),
    model=ModelInfo(name="m", version="1", engine="onnx"),
    detections=(DetectedObject(class_name=ObjectClass.FACE, xyxy=(1, 2, 3, 4), confidence=0.5),),
)


@pytest.fixture
def job_store(settings: Settings) -> Iterator[JobStore]:
    """A job store with nothing in it."""
    job_store = JobStore(settings)
    yield job_store
    job_store.close()


def enter(job_store: JobStore, kind: JobKind = JobKind.BLUR, **options: object) -> NewJob:
    """Enter a job for both classes."""
    job = NewJob(id="job-1", kind=kind, options=JobOptions.model_validate(options), photo="photos/job-1")
    assert job_store.run(job_store.calls.create(job)).is_new
    return job


def claim(
    job_store: JobStore, step: Step, holder: str = "first", *, takeover: bool = False
) -> Claimed | None:
    """Claim a step of the job that ``enter`` entered."""
    return job_store.run(job_store.calls.claim("job-1", step, holder, takeover=takeover))


def do(job_store: JobStore, step: Step) -> Completed:
    """Claim a step and end it well."""
    claimed = claim(job_store, step)
    assert claimed is not None
    fields = {f"p:{step}": PART.model_dump_json(by_alias=True)}
    if step is Step.REDACT:
        fields = {"picture": "results/job-1"}
    elif step in {Step.RESIDUAL_CHECK_FACES, Step.RESIDUAL_CHECK_PLATES}:
        fields = {f"r:{step}": "[]"}
    return job_store.run(job_store.calls.complete(claimed, fields))


def test_a_job_of_two_classes_joins_before_redaction(job_store: JobStore) -> None:
    """Redaction is released by the last detection to end, whichever that is, and ends the job."""
    job = enter(job_store)
    assert job.first_steps == (Step.DETECT_FACES, Step.DETECT_PLATES)
    assert claim(job_store, Step.REDACT) is None
    first = do(job_store, Step.DETECT_PLATES)
    assert (first.next_steps, first.finished) == ((), False)
    assert claim(job_store, Step.REDACT) is None
    second = do(job_store, Step.DETECT_FACES)
    assert second.next_steps == (Step.REDACT,)
    third = do(job_store, Step.REDACT)
    assert third.next_steps == (Step.RESIDUAL_CHECK_FACES, Step.RESIDUAL_CHECK_PLATES)
    assert job_store.read("job-1").state is JobState.RUNNING
    assert not do(job_store, Step.RESIDUAL_CHECK_PLATES).finished
    assert do(job_store, Step.RESIDUAL_CHECK_FACES).finished
    record = job_store.read("job-1")
    assert record.state is JobState.DONE
    assert record.detections == {Step.DETECT_FACES: PART, Step.DETECT_PLATES: PART}
    assert record.picture == "results/job-1"


def test_the_end_of_a_job_hands_its_original_to_the_eraser(job_store: JobStore) -> None:
    """From the moment a job is done its photo is due to be erased, and the row to expire."""
    enter(job_store, JobKind.DETECT, classes=["face"])
    do(job_store, Step.DETECT_FACES)
    assert job_store.run(job_store.calls.due(ERASE)) == ("photos/job-1",)
    assert job_store.client.zscore(EXPIRY, "job-1") == pytest.approx(time.time() + 3600, abs=30)
    assert job_store.client.zcard(ACTIVE) == 0


def test_a_retained_original_is_not_yet_due(job_store: JobStore) -> None:
    """``retain`` puts the erasing off by as many seconds."""
    enter(job_store, JobKind.DETECT, classes=["face"], retain=60)
    do(job_store, Step.DETECT_FACES)
    assert job_store.run(job_store.calls.due(ERASE)) == ()
    assert job_store.client.zscore(ERASE, "photos/job-1") == pytest.approx(time.time() + 60, abs=30)


def test_only_one_of_many_claims_wins(job_store: JobStore, settings: Settings) -> None:
    """Eight workers that get the same message at once do the step once."""
    enter(job_store)
    barrier, wins = Barrier(8), []

    def race(token: str) -> None:
        own = JobStore(settings)
        barrier.wait()
        if own.run(own.calls.claim("job-1", Step.DETECT_FACES, token, takeover=False)) is not None:
            wins.append(token)
        own.close()

    racers = [Thread(target=race, args=(str(number),)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(wins) == 1


def test_a_late_outcome_is_refused(job_store: JobStore) -> None:
    """A worker whose step was taken over cannot write its outcome any more."""
    enter(job_store)
    slow = claim(job_store, Step.DETECT_FACES, "slow")
    fast = claim(job_store, Step.DETECT_FACES, "fast", takeover=True)
    assert slow is not None
    assert fast is not None
    outcome = {f"p:{Step.DETECT_FACES}": PART.model_dump_json(by_alias=True)}
    assert not job_store.run(job_store.calls.complete(slow, outcome)).accepted
    assert not job_store.run(job_store.calls.fail(slow.lease, "x", "y"))
    assert job_store.run(job_store.calls.complete(fast, outcome)).accepted
    assert not job_store.run(job_store.calls.complete(fast, outcome)).accepted


def test_a_step_that_kills_its_workers_ends_the_job(job_store: JobStore, settings: Settings) -> None:
    """After as many starts as are allowed the job fails with a code that says why."""
    enter(job_store)
    for attempt in range(settings.max_attempts):
        assert claim(job_store, Step.DETECT_FACES, str(attempt), takeover=True) is not None
    assert claim(job_store, Step.DETECT_FACES, "one too many", takeover=True) is None
    record = job_store.read("job-1")
    assert (record.state, record.error_code) == (JobState.FAILED, "worker_lost")
    assert job_store.run(job_store.calls.due(ERASE)) == ("photos/job-1",)


def test_the_reaper_sends_a_silent_step_again(settings: Settings) -> None:
    """When a lease has run out the step is queued again, until its attempts are used up."""
    job_store = JobStore(settings.model_copy(update={"lease_s": 0, "max_attempts": 2}))
    enter(job_store, JobKind.DETECT, classes=["face"])
    for _ in range(2):
        assert claim(job_store, Step.DETECT_FACES) is not None
        assert job_store.run(job_store.calls.due(ACTIVE)) == ("job-1",)
        sent = job_store.run(job_store.calls.reap("job-1"))
    assert sent == ()
    assert job_store.read("job-1").error_code == "worker_lost"
    job_store.close()


def test_the_reaper_leaves_a_working_step_alone(job_store: JobStore) -> None:
    """A lease that still runs is respected."""
    enter(job_store, JobKind.DETECT, classes=["face"])
    claim(job_store, Step.DETECT_FACES)
    assert job_store.run(job_store.calls.due(ACTIVE)) == ()
    assert job_store.run(job_store.calls.reap("job-1")) == ()
    assert job_store.read("job-1").state is JobState.RUNNING


def test_an_idempotency_key_names_one_job(job_store: JobStore) -> None:
    """The same key and body return the first job; the same key with another body is refused."""

    def keyed(job_id: str, fingerprint: str) -> NewJob:
        return NewJob(
            id=job_id,
            kind=JobKind.DETECT,
            options=JobOptions(),
            photo="p",
            idempotency_key="k",
            fingerprint=fingerprint,
        )

    assert job_store.run(job_store.calls.create(keyed("a", "1"))).job_id == "a"
    again = job_store.run(job_store.calls.create(keyed("b", "1")))
    assert (again.job_id, again.is_new) == ("a", False)
    with pytest.raises(IdempotencyConflictError):
        job_store.run(job_store.calls.create(keyed("c", "2")))
    for absent in ("b", "c"):
        with pytest.raises(UnknownTaskError):
            job_store.read(absent)


def test_a_full_queue_takes_no_more(settings: Settings) -> None:
    """At the limit a new job is refused and leaves nothing behind."""
    job_store = JobStore(settings.model_copy(update={"queue_limit": 1}))
    enter(job_store)
    with pytest.raises(QueueFullError):
        job_store.run(job_store.calls.create(NewJob("job-2", JobKind.DETECT, JobOptions(), "p")))
    with pytest.raises(UnknownTaskError):
        job_store.read("job-2")
    job_store.close()


def test_erasing_forgets_everything(job_store: JobStore) -> None:
    """After erasing, the id is unknown, outcomes are refused, stored objects are due."""
    enter(job_store)
    claimed = claim(job_store, Step.DETECT_FACES)
    assert claimed is not None
    assert job_store.run(job_store.calls.erase("job-1"))
    assert not job_store.run(job_store.calls.erase("job-1"))
    assert not job_store.run(job_store.calls.complete(claimed, {"x": "y"})).accepted
    assert job_store.run(job_store.calls.due(ERASE)) == ("photos/job-1",)
    with pytest.raises(UnknownTaskError):
        job_store.read("job-1")


def test_a_missing_server_is_a_clear_error_soon() -> None:
    """Without a server every call raises QueueUnavailableError, and soon."""
    job_store = JobStore(Settings(redis_url="redis://127.0.0.1:1/0"))
    began = time.monotonic()
    with pytest.raises(QueueUnavailableError):
        job_store.read("job-1")
    with pytest.raises(QueueUnavailableError):
        job_store.run(job_store.calls.erase("job-1"))
    # Celery's own way of asking takes 19 s.
    assert time.monotonic() - began < 15


def test_no_message_or_row_holds_a_picture(job_store: JobStore) -> None:
    """Rows hold ids, boxes and options: a few hundred bytes each."""
    enter(job_store)
    client: redis.Redis = job_store.client
    for key in client.keys("*"):
        # A stream takes a page or two for its first entry.
        assert (client.memory_usage(key) or 0) < (4000 if client.type(key) != "stream" else 12_000)


def test_a_claim_is_made_to_last_while_it_holds(job_store: JobStore) -> None:
    """Renewing moves the lease; once taken over, ended or erased it says so and moves nothing."""
    enter(job_store)
    claimed = claim(job_store, Step.DETECT_FACES)
    assert claimed is not None
    before = job_store.client.zscore(ACTIVE, "job-1")
    time.sleep(0.02)
    assert job_store.run(job_store.calls.renew(claimed))
    later = job_store.client.zscore(ACTIVE, "job-1")
    assert before is not None
    assert later is not None
    assert later > before
    other = claim(job_store, Step.DETECT_FACES, "second", takeover=True)
    assert other is not None
    assert not job_store.run(job_store.calls.renew(claimed))
    assert job_store.run(job_store.calls.renew(other))
    job_store.run(job_store.calls.erase("job-1"))
    assert not job_store.run(job_store.calls.renew(other))
    assert job_store.client.zscore(ACTIVE, "job-1") is None


@pytest.mark.parametrize("kind", [JobKind.DETECT, JobKind.BLUR, JobKind.REDACT])
def test_a_fused_job_is_one_step(job_store: JobStore, kind: JobKind) -> None:
    """Its one step is released at once and ends the job, with the fields of all steps that it stands for."""
    job = NewJob("job-1", kind, JobOptions(), "photos/job-1", pipeline=Pipeline.FUSED)
    assert job_store.run(job_store.calls.create(job)).is_new
    assert job.first_steps == (Step.PROCESS_PHOTO,)
    claimed = claim(job_store, Step.PROCESS_PHOTO)
    assert claimed is not None
    fields = {f"p:{Step.DETECT_FACES}": PART.model_dump_json(by_alias=True), "picture": "results/job-1"}
    assert job_store.run(job_store.calls.complete(claimed, fields)).finished
    record = job_store.read("job-1")
    assert (record.state, record.picture) == (JobState.DONE, "results/job-1")
    assert record.detections == {Step.DETECT_FACES: PART}


def test_each_pipeline_needs_its_own_queues() -> None:
    """No queue is needed by neither, and the first steps of a job go to one that is."""
    needed = {pipeline: set(queues_of(pipeline)) for pipeline in Pipeline}
    assert set.union(*needed.values()) == set(Queue)
    for pipeline, queues in needed.items():
        for kind in JobKind:
            job = NewJob("job-1", kind, JobOptions(), "photos/job-1", pipeline=pipeline)
            steps = [step for stage in job.stages for step in stage]
            assert {STEP_TASKS[step].queue for step in steps} <= queues


def test_parts_stand_in_the_order_of_their_steps(job_store: JobStore) -> None:
    """Which detector ended first says nothing: the answer is the same."""
    enter(job_store)
    do(job_store, Step.DETECT_PLATES)
    do(job_store, Step.DETECT_FACES)
    assert list(job_store.read("job-1").detections) == [Step.DETECT_FACES, Step.DETECT_PLATES]
