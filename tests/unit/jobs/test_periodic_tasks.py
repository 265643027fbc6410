"""What gateways do beside answering: erasing, sweeping, auditing, sending again - on a real server."""

import json
import os
import time
from pathlib import Path

import pytest

from obscura.audit import AuditFile, verify
from obscura.contract import JobKind, JobOptions, ObjectClass, Step, StepRequest
from obscura.jobs import AsyncJobStore, JobStore, NewJob, step_request
from obscura.jobs.audit_writer import HEADS, Auditor
from obscura.jobs.celery_app import make_celery, send
from obscura.jobs.commands import AUDIT, COUNTERS
from obscura.jobs.lease_reaper import Reaper
from obscura.jobs.retention import Retention
from obscura.settings import Settings
from obscura.storage import Storage
from tests.job_stores import with_job_store


def detection(job_id: str, **options: object) -> NewJob:
    """Return a job of one step."""
    wanted = JobOptions.model_validate({"classes": (ObjectClass.FACE,), **options})
    return NewJob(job_id, JobKind.DETECT, wanted, f"photos/{job_id}")


def end(job_store: JobStore, job_id: str, **fields: str) -> None:
    """Claim and complete the one step of a job."""
    claimed = job_store.run(job_store.calls.claim(job_id, Step.DETECT_FACES, "t", takeover=False))
    assert claimed is not None
    job_store.run(job_store.calls.complete(claimed, {"x": "y", **fields}))


def age(storage_dir: Path) -> None:
    """Make everything in a storage an hour old."""
    for path in storage_dir.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)


def test_originals_of_ended_jobs_and_expired_results_go(settings: Settings) -> None:
    """One round erases the original of a job that ended, its result when the row expires, and counts both."""
    settings = settings.model_copy(update={"result_ttl_s": 0})
    job_store, storage = JobStore(settings), Storage.in_folder(settings.storage_dir)
    job_store.run(job_store.calls.create(detection("a")))
    storage.put("photos/a", b"x")
    storage.put("results/a.t", b"y")
    end(job_store, "a", picture="results/a.t")

    with_job_store(settings, lambda asynchronous: Retention(asynchronous, storage).round())
    events = ("original_erased", "result_erased", "expired")
    counted = {name: int(job_store.field(COUNTERS, name) or 0) for name in events}
    assert storage.keys(("photos", "results")) == []
    assert counted == dict.fromkeys(events, 1)
    job_store.close()


def test_only_what_nobody_owns_is_swept(settings: Settings) -> None:
    """Old objects without an owner go; originals and results of jobs, and new objects, stay."""
    job_store, storage = JobStore(settings), Storage.in_folder(settings.storage_dir)
    for job_id, options in (("waiting", {}), ("done", {}), ("kept", {"retain": 60})):
        job_store.run(job_store.calls.create(detection(job_id, **options)))
    end(job_store, "done", picture="results/done.t")
    end(job_store, "kept")
    owned = {"photos/waiting", "results/waiting.other", "results/done.t", "photos/kept"}
    orphans = {"photos/nobody", "results/nobody.t", "results/done.first-try"}
    for key in owned | orphans:
        storage.put(key, b"x")
    (settings.storage_dir / "photos" / "cut#1").write_bytes(b"half")
    (settings.storage_dir / ".check-left").write_bytes(b"x")
    age(settings.storage_dir)
    storage.put("photos/just-arriving", b"x")
    (settings.storage_dir / "photos" / "arriving#1").write_bytes(b"half")

    swept = with_job_store(settings, lambda asynchronous: Retention(asynchronous, storage).collect_orphans())
    assert swept == len(orphans) + 2
    assert set(storage.keys(("photos", "results"))) == owned | {"photos/just-arriving"}
    assert (settings.storage_dir / "photos" / "arriving#1").exists()
    assert not (settings.storage_dir / "photos" / "cut#1").exists()
    job_store.close()


def test_the_end_of_every_job_stands_in_the_audit_log(settings: Settings, tmp_path: Path) -> None:
    """What happened to jobs is in the file, in order, once, and the job store knows its head."""
    job_store, path = JobStore(settings), tmp_path / "audit.jsonl"
    for job_id in ("a", "b"):
        job_store.run(job_store.calls.create(detection(job_id)))
    end(job_store, "a")
    job_store.run(job_store.calls.erase("b"))

    async def drain(asynchronous: AsyncJobStore) -> None:
        auditor = Auditor(asynchronous, AuditFile(path))
        await auditor.round()
        await auditor.round()
        assert await asynchronous.client.xlen(AUDIT) == 0

    with_job_store(settings, drain)
    lines = path.read_text().splitlines()
    head = verify(lines)
    told = [(record["event"], record.get("job")) for record in map(json.loads, lines[1:])]
    assert told == [("accepted", "a"), ("accepted", "b"), ("done", "a"), ("deleted", "b")]
    assert job_store.field(HEADS, head.chain) == str(head)
    job_store.close()


def test_records_wait_while_the_log_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    """A log on a full or missing disk loses nothing: the records stay in the job store."""
    job_store = JobStore(settings)
    job_store.run(job_store.calls.create(detection("a")))
    (tmp_path / "file").write_bytes(b"")

    async def drain(asynchronous: AsyncJobStore) -> int:
        for place in (tmp_path / "file" / "log", tmp_path / "log"):
            try:
                await Auditor(asynchronous, AuditFile(place)).round()
            except Exception:  # noqa: BLE001 - the first place is meant to fail
                assert await asynchronous.client.xlen(AUDIT) == 1
        return int(await asynchronous.client.xlen(AUDIT))

    assert with_job_store(settings, drain) == 0
    assert verify((tmp_path / "log").read_text().splitlines()).n == 1
    job_store.close()


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_lost_message_is_sent_again_though_others_wait(settings: Settings, *, is_waiting: bool) -> None:
    """Only the message itself, not a queue with others in it, tells the reaper that a step is not lost."""
    settings = settings.model_copy(update={"lease_s": 0})
    job_store, app = JobStore(settings), make_celery(settings)
    other, lost = detection("other"), detection("lost")
    for job in (other, lost):
        job_store.run(job_store.calls.create(job))
    send(app, step_request(other, Step.DETECT_FACES))
    if is_waiting:
        send(app, step_request(lost, Step.DETECT_FACES))
    sent: list[StepRequest] = []

    async def note(request: StepRequest) -> None:
        sent.append(request)

    with_job_store(settings, lambda asynchronous: Reaper(asynchronous, note).round())
    assert [request.job_id for request in sent] == ([] if is_waiting else ["lost"])
    job_store.close()
    app.close()
