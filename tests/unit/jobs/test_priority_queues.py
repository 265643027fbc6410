"""Priority queues and owners of the job store on a real server."""

import pytest

from obscura.contract import JobKind, JobOptions, ObjectClass, Priority, Queue, Step
from obscura.errors import QueueFullError, UnknownTaskError
from obscura.jobs import AsyncJobStore, JobStore, NewJob, step_request
from obscura.settings import Settings
from obscura.worker.process import priority_queues
from standalone.child import services
from tests.job_stores import with_job_store


def new(job_id: str, priority: Priority = Priority.INTERACTIVE, key: str = "") -> NewJob:
    """Return a detection of faces."""
    options = JobOptions(classes=(ObjectClass.FACE,), priority=priority)
    return NewJob(job_id, JobKind.DETECT, options, "photo", idempotency_key=key, fingerprint="same")


def test_a_full_lane_leaves_the_other_open(settings: Settings) -> None:
    """Bulk jobs do not take interactive ones their places, nor the other way round."""
    job_store = JobStore(settings.model_copy(update={"queue_limit": 2, "bulk_queue_limit": 3}))
    for priority_queue, limit in ((Priority.BULK, 3), (Priority.INTERACTIVE, 2)):
        for number in range(limit):
            job_store.run(job_store.calls.create(new(f"{priority_queue}-{number}", priority_queue)))
        with pytest.raises(QueueFullError):
            job_store.run(job_store.calls.create(new(f"{priority_queue}-more", priority_queue)))
    job_store.close()


@pytest.mark.parametrize("how", ["erased", "done", "failed"])
def test_an_ended_bulk_job_makes_room(settings: Settings, how: str) -> None:
    """However a bulk job ends, its place in the priority queue is free again."""
    job_store = JobStore(settings.model_copy(update={"bulk_queue_limit": 1}))
    job_store.run(job_store.calls.create(new("first", Priority.BULK)))
    if how == "erased":
        job_store.run(job_store.calls.erase("first"))
    else:
        claimed = job_store.run(job_store.calls.claim("first", Step.DETECT_FACES, "t", takeover=False))
        assert claimed is not None
        if how == "done":
            job_store.run(job_store.calls.complete(claimed, {"x": "y"}))
        else:
            job_store.run(job_store.calls.fail(claimed.lease, "code", "message"))
    assert job_store.run(job_store.calls.create(new("second", Priority.BULK))).is_new
    job_store.close()


def test_a_step_waits_in_the_lane_of_its_job() -> None:
    """Every message of a bulk job names its priority, and the priority queues have names of their own."""
    assert step_request(new("a", Priority.BULK), Step.DETECT_FACES).priority is Priority.BULK
    names = [queue.priority_queue(priority) for queue in Queue for priority in Priority]
    assert len(set(names)) == len(names)
    assert Queue.FACES.priority_queue(Priority.INTERACTIVE) == "detect.faces"
    assert Queue.FACES.priority_queue(Priority.BULK) == "detect.faces.bulk"


def test_a_worker_looks_at_every_interactive_lane_first() -> None:
    """The embedded worker serves all priority queues but those of videos, and names the bulk ones last."""
    order = priority_queues(services())
    photos = [queue for queue in Queue if queue is not Queue.VIDEOS]
    assert sorted(order) == sorted(
        queue.priority_queue(priority) for queue in photos for priority in Priority
    )
    bulk = [name.endswith(".bulk") for name in order]
    assert bulk == sorted(bulk)


def test_an_idempotency_key_is_free_again_when_its_job_is_gone(settings: Settings) -> None:
    """A key never answers with the id of a job that was erased."""
    job_store = JobStore(settings)
    assert job_store.run(job_store.calls.create(new("a", key="k"))).is_new
    assert not job_store.run(job_store.calls.create(new("b", key="k"))).is_new
    job_store.run(job_store.calls.erase("a"))
    assert job_store.run(job_store.calls.create(new("c", key="k"))).job_id == "c"
    assert job_store.run(job_store.calls.create(new("d", key="k"))).job_id == "c"
    job_store.close()


def test_what_people_write_into_an_idempotency_key_is_kept_nowhere(settings: Settings) -> None:
    """No name and no value in the job store holds it."""
    job_store = JobStore(settings)
    job_store.run(job_store.calls.create(new("a", key="jane.doe@example.com")))
    assert not [name for name in job_store.client.keys("*") if "jane" in name]
    job_store.close()


def test_an_owner_sees_own_jobs_only(settings: Settings) -> None:
    """Another's job is as unknown as one that never was, word for word; nobody in particular sees all."""

    async def story(job_store: AsyncJobStore) -> None:
        anna, ben = job_store.for_owner("anna"), job_store.for_owner("ben")
        await anna.run(anna.calls.create(new("a")))
        await job_store.run(job_store.calls.create(new("nobodys")))
        assert (await anna.read("a")).owner == "anna"
        assert (await job_store.read("a")).owner == "anna"
        messages = set()
        for owner, job_id in ((ben, "a"), (ben, "nobodys"), (anna, "nobodys"), (ben, "never")):
            with pytest.raises(UnknownTaskError) as refused:
                await owner.read(job_id)
            messages.add(refused.value.message)
        assert len(messages) == 1

    with_job_store(settings, story)


def test_idempotency_keys_of_owners_do_not_meet(settings: Settings) -> None:
    """Two owners may use the same key; each gets a job of their own."""

    async def story(job_store: AsyncJobStore) -> None:
        anna, ben = job_store.for_owner("anna"), job_store.for_owner("ben")
        assert (await anna.run(anna.calls.create(new("a", key="k")))).is_new
        assert (await ben.run(ben.calls.create(new("b", key="k")))).is_new
        assert (await ben.run(ben.calls.create(new("c", key="k")))).job_id == "b"

    with_job_store(settings, story)
