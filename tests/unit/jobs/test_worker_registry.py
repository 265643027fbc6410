"""Which queues count as served, by the worker registry."""

from obscura.contract import Queue
from obscura.jobs import JobStore
from obscura.jobs.commands import WORKERS
from obscura.jobs.worker_registry import (
    CONSUMED,
    HEARTBEAT_TTL_S,
    WorkerRegistration,
    record_consuming,
    register_worker,
    unserved_queues,
)
from obscura.settings import Settings
from tests.job_stores import with_job_store

QUEUES = (Queue.FACES, Queue.PLATES)


def unserved(settings: Settings) -> tuple[Queue, ...]:
    """Return the queues without a worker, as /readyz sees them."""
    return with_job_store(settings, lambda job_store: unserved_queues(job_store.client, QUEUES))


def test_a_queue_is_served_by_a_loaded_process_and_a_consumer(settings: Settings) -> None:
    """One of the two heartbeats is not enough, and each counts for its own queues only."""
    client = JobStore(settings).client
    assert unserved(settings) == QUEUES
    register_worker(client, WorkerRegistration("token", (Queue.FACES,), ()))
    assert unserved(settings) == QUEUES
    record_consuming(client, QUEUES)
    assert unserved(settings) == (Queue.PLATES,)
    client.close()


def test_a_heartbeat_that_is_too_old_does_not_count(settings: Settings) -> None:
    """Neither that of the process nor that of the consumer."""
    client = JobStore(settings).client
    register_worker(client, WorkerRegistration("token", QUEUES, ()))
    record_consuming(client, QUEUES)
    assert unserved(settings) == ()
    seconds, _ = client.time()
    client.hset(CONSUMED, Queue.PLATES, repr(seconds - HEARTBEAT_TTL_S - 1.0))
    assert unserved(settings) == (Queue.PLATES,)
    client.zadd(WORKERS, {f"{Queue.FACES}|token": seconds - HEARTBEAT_TTL_S - 1.0})
    assert unserved(settings) == QUEUES
    client.close()
