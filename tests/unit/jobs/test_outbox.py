"""A job and the messages that wake its workers are entered in one step, as Celery itself would send them."""

import base64
import json
from itertools import product
from typing import Any

import pytest

from obscura.contract import (
    JobKind,
    JobOptions,
    ObjectClass,
    OutboxMessage,
    Pipeline,
    Priority,
    Step,
    StepRequest,
)
from obscura.errors import IdempotencyConflictError, QueueFullError
from obscura.jobs import AsyncJobStore, JobStore, NewJob, step_request
from obscura.jobs.celery_app import Outbox, make_celery, send
from obscura.jobs.lease_reaper import Reaper
from obscura.settings import Settings
from tests.job_stores import with_job_store

# A message has these of its own.
OWN_IDS = ("id", "root_id", "correlation_id", "delivery_tag", "reply_to")


def job(job_id: str = "a", **told: Any) -> NewJob:
    """Return a job of two first steps."""
    return NewJob(job_id, JobKind.DETECT, JobOptions(classes=tuple(ObjectClass)), f"photos/{job_id}", **told)


def read(text: str) -> Any:
    """Return a message without what differs from one to the next, its body opened."""
    message = json.loads(text)
    for part in (message["headers"], message["properties"]):
        for name in OWN_IDS:
            if name in part:
                assert part.pop(name)
    return {**message, "body": json.loads(base64.b64decode(message["body"]))}


def test_a_letter_is_what_celery_would_have_sent(settings: Settings) -> None:
    """For every step in every priority queue: the same list, the same message but for its ids."""
    app, job_store = make_celery(settings), JobStore(settings)
    outbox_messages = Outbox(app)
    for step, priority in product(Step, Priority):
        request = StepRequest(job_id="a", step=step, priority=priority, request_id="r", trace="00-a-b-01")
        outbox_message = outbox_messages.write(request)
        send(app, request)
        sent = job_store.client.rpop(outbox_message.priority_queue)
        assert isinstance(sent, str), outbox_message.priority_queue
        assert read(outbox_message.text) == read(sent)
    job_store.close()
    app.close()


def test_each_letter_is_a_message_of_its_own(settings: Settings) -> None:
    """Two letters share no id: Celery would take the second for the first."""
    outbox_messages = Outbox(make_celery(settings))
    one, other = (
        json.loads(outbox_messages.write(step_request(job(), Step.DETECT_FACES)).text) for _ in range(2)
    )
    assert one["headers"]["id"] != other["headers"]["id"]
    assert one["properties"]["delivery_tag"] != other["properties"]["delivery_tag"]


def test_a_job_is_entered_with_its_messages(settings: Settings) -> None:
    """Every first step finds its message in its priority queue, and the row its fields."""
    job_store, outbox_messages = JobStore(settings), Outbox(make_celery(settings))
    new = job(pipeline=Pipeline.SPLIT)
    written = [outbox_messages.write(step_request(new, step)) for step in new.first_steps]
    assert len(written) == len(ObjectClass)
    job_store.run(job_store.calls.create(new, written))
    for outbox_message in written:
        assert job_store.client.lrange(outbox_message.priority_queue, 0, -1) == [outbox_message.text]
    assert job_store.read(new.id).options == new.options
    job_store.close()


def test_a_job_that_is_refused_sends_nothing(settings: Settings) -> None:
    """With the queue full, or an Idempotency-Key that is taken, no worker is woken."""
    settings = settings.model_copy(update={"queue_limit": 1})
    job_store = JobStore(settings)
    outbox_message = OutboxMessage("lane", "text", Step.DETECT_FACES)
    keyed = {"idempotency_key": "k", "fingerprint": "1"}
    job_store.run(job_store.calls.create(job("first", **keyed), [outbox_message]))
    assert not job_store.run(job_store.calls.create(job("again", **keyed), [outbox_message])).is_new
    with pytest.raises(IdempotencyConflictError):
        job_store.run(job_store.calls.create(job("other", **{**keyed, "fingerprint": "2"}), [outbox_message]))
    with pytest.raises(QueueFullError):
        job_store.run(job_store.calls.create(job("more"), [outbox_message]))
    assert job_store.client.llen("lane") == 1
    job_store.close()


def test_the_reaper_knows_a_letter_that_still_waits(settings: Settings) -> None:
    """A step whose message waits its turn is not sent again, though its time is up."""
    settings = settings.model_copy(update={"lease_s": 0})
    outbox_messages, new = Outbox(make_celery(settings)), job()
    sent: list[StepRequest] = []

    async def note(request: StepRequest) -> None:
        sent.append(request)

    async def work(job_store: AsyncJobStore) -> None:
        first, second = new.first_steps
        await job_store.run(job_store.calls.create(new, [outbox_messages.write(step_request(new, first))]))
        await Reaper(job_store, note).round()
        assert [request.step for request in sent] == [second]

    with_job_store(settings, work)
