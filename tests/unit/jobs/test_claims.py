"""A claim lasts for as long as its step is in work, however slow that is."""

import threading
import time

import pytest

from obscura.contract import JobKind, JobOptions, ObjectClass, Step
from obscura.jobs import Claimed, JobStore, NewJob
from obscura.jobs.commands import job_key
from obscura.settings import Settings
from obscura.worker.heartbeat import extend_leases

STEP = Step.DETECT_FACES


def claimed_job(job_store: JobStore) -> Claimed:
    """Return the one step of a job, claimed."""
    job = NewJob("slow", JobKind.DETECT, JobOptions(classes=(ObjectClass.FACE,)), "photos/slow")
    job_store.run(job_store.calls.create(job))
    claimed = job_store.run(job_store.calls.claim("slow", STEP, "mine", takeover=False))
    assert claimed is not None
    return claimed


def lease_end(job_store: JobStore) -> float:
    """Return until when the step is its worker's, in seconds of the server's clock."""
    return float(job_store.field(job_key("slow"), f"l:{STEP}") or 0.0)


@pytest.mark.parametrize("is_in_work", [True, False])
def test_a_slow_step_stays_its_workers_own(settings: Settings, *, is_in_work: bool) -> None:
    """With the step in work the claim outlasts its lease several times; without it the lease runs out."""
    settings = settings.model_copy(update={"lease_s": 1})
    job_store = JobStore(settings)
    claimed = claimed_job(job_store)
    first_end = lease_end(job_store)
    current = claimed if is_in_work else None
    threading.Thread(target=extend_leases, args=(settings, lambda: current), daemon=True).start()
    deadline = time.monotonic() + 60
    if is_in_work:
        while lease_end(job_store) < first_end + 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        current = None
    else:
        while job_store.run(job_store.calls.claim("slow", STEP, "other", takeover=False)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not job_store.run(job_store.calls.renew(claimed))
    job_store.close()
