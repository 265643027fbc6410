"""A job and the messages that wake its workers are entered in one step, as Celery itself would send them."""

import base64
import json
from itertools import product
from typing import Any

import pytest

from obscura.contract import JobKind, JobOptions, Letter, ObjectClass, Pipeline, Priority, Step, StepRequest
from obscura.errors import IdempotencyConflictError, QueueFullError
from obscura.jobs import AsyncLedger, Ledger, NewJob, wake_up
from obscura.jobs.celery_app import Letters, make_celery, send
from obscura.jobs.lease_reaper import Reaper
from obscura.settings import Settings
from tests.job_stores import with_ledger

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
    """For every step in every lane: the same list of the broker, the same message but for its ids."""
    app, ledger = make_celery(settings), Ledger(settings)
    letters = Letters(app)
    for step, priority in product(Step, Priority):
        request = StepRequest(job_id="a", step=step, priority=priority, request_id="r", trace="00-a-b-01")
        letter = letters.write(request)
        send(app, request)
        sent = ledger.client.rpop(letter.lane)
        assert isinstance(sent, str), letter.lane
        assert read(letter.text) == read(sent)
    ledger.close()
    app.close()


def test_each_letter_is_a_message_of_its_own(settings: Settings) -> None:
    """Two letters share no id: Celery would take the second for the first."""
    letters = Letters(make_celery(settings))
    one, other = (json.loads(letters.write(wake_up(job(), Step.DETECT_FACES)).text) for _ in range(2))
    assert one["headers"]["id"] != other["headers"]["id"]
    assert one["properties"]["delivery_tag"] != other["properties"]["delivery_tag"]


def test_a_job_is_entered_with_its_messages(settings: Settings) -> None:
    """Every first step finds its message in its lane, and the row its fields."""
    ledger, letters = Ledger(settings), Letters(make_celery(settings))
    new = job(pipeline=Pipeline.SPLIT)
    written = [letters.write(wake_up(new, step)) for step in new.first_steps]
    assert len(written) == len(ObjectClass)
    ledger.run(ledger.calls.create(new, written))
    for letter in written:
        assert ledger.client.lrange(letter.lane, 0, -1) == [letter.text]
    assert ledger.read(new.id).options == new.options
    ledger.close()


def test_a_job_that_is_refused_sends_nothing(settings: Settings) -> None:
    """With the queue full, or an Idempotency-Key that is taken, no worker is woken."""
    settings = settings.model_copy(update={"queue_limit": 1})
    ledger = Ledger(settings)
    letter = Letter("lane", "text", Step.DETECT_FACES)
    keyed = {"idempotency_key": "k", "fingerprint": "1"}
    ledger.run(ledger.calls.create(job("first", **keyed), [letter]))
    assert not ledger.run(ledger.calls.create(job("again", **keyed), [letter])).is_new
    with pytest.raises(IdempotencyConflictError):
        ledger.run(ledger.calls.create(job("other", **{**keyed, "fingerprint": "2"}), [letter]))
    with pytest.raises(QueueFullError):
        ledger.run(ledger.calls.create(job("more"), [letter]))
    assert ledger.client.llen("lane") == 1
    ledger.close()


def test_the_reaper_knows_a_letter_that_still_waits(settings: Settings) -> None:
    """A step whose message waits its turn is not sent again, though its time is up."""
    settings = settings.model_copy(update={"lease_s": 0})
    letters, new = Letters(make_celery(settings)), job()
    sent: list[StepRequest] = []

    async def note(request: StepRequest) -> None:
        sent.append(request)

    async def work(ledger: AsyncLedger) -> None:
        first, second = new.first_steps
        await ledger.run(ledger.calls.create(new, [letters.write(wake_up(new, first))]))
        await Reaper(ledger, note).round()
        assert [request.step for request in sent] == [second]

    with_ledger(settings, work)
