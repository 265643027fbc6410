"""Who waits for the end of a job is woken by its end, and not by every step on the way."""

import asyncio
import json
import random
from contextlib import suppress

import pytest

from gateway_service.results.events import JobEvents
from obscura.contract import JobKind, JobOptions, ObjectClass, Pipeline
from obscura.errors import UnknownTaskError
from obscura.jobs import AsyncJobStore, JobState, NewJob
from obscura.jobs.commands import EVENTS, job_key
from obscura.settings import Settings
from tests.job_stores import with_job_store

PATIENCE_S = 60.0
JOB = NewJob(
    "x", JobKind.DETECT, JobOptions(classes=(ObjectClass.FACE,)), "photos/x", pipeline=Pipeline.FUSED
)


@pytest.mark.parametrize("end", ["done", "failed", "erased"])
def test_a_wait_for_the_end_is_woken_by_the_end_alone(settings: Settings, end: str) -> None:
    """Who watches hears that a job was begun; who waits for its end hears nothing until then."""

    async def work(job_store: AsyncJobStore) -> None:
        events = JobEvents(job_store)
        listening = asyncio.create_task(events.listen())
        with events.watched(["x"]) as any_news, events.watched(["x"], for_end=True) as the_end:
            async with asyncio.timeout(PATIENCE_S):
                while not any_news.changed.is_set():
                    # Nobody listens yet, perhaps.
                    await job_store.client.publish(EVENTS, "x running")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(any_news.changed.wait(), 0.1)
                assert not the_end.changed.is_set()
                await job_store.client.publish(EVENTS, f"x {end}")
                await the_end.changed.wait()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    with_job_store(settings, work)


LONG = json.dumps({"text": "z" * 10_000})


async def ended(job_store: AsyncJobStore, report: str) -> None:
    """Enter a job and end it with a report."""
    await job_store.run(job_store.calls.create(JOB))
    claimed = await job_store.run(job_store.calls.claim("x", JOB.first_steps[0], "token", takeover=False))
    assert claimed is not None
    fields = {"report": report, "picture": "results/x.token", "media_type": "image/jpeg"}
    assert (await job_store.run(job_store.calls.complete(claimed, fields))).finished


async def end_told(job_store: AsyncJobStore, report: str) -> str:
    """Return what follows the word that a job has ended, in the event of its end."""
    async with job_store.client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(EVENTS)
        # The first answer is that the channel is subscribed to: nothing is missed after it.
        await channel.get_message(timeout=PATIENCE_S)
        await ended(job_store, report)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await channel.get_message(timeout=None)
                if message is not None and message["data"].startswith("x done"):
                    return str(message["data"].removeprefix("x done"))


@pytest.mark.parametrize("report", ["{}", '{"text": "\u00e4\\u00e4/\\"\\n"}', LONG])
def test_the_event_of_an_end_tells_the_row(settings: Settings, report: str) -> None:
    """What is heard is what would have been read, to the letter; it is remembered as what is read."""

    async def work(job_store: AsyncJobStore) -> None:
        told = await end_told(job_store, report)
        read = await job_store.read("x")
        job_store.finished_records.forget("x")
        assert job_store.record_from_event("x", told.strip()) == read
        assert (read.state, read.report) == (JobState.DONE, report)
        assert job_store.finished_records.get("x") == await job_store.client.hgetall(job_key("x"))

    with_job_store(settings, work)


def test_a_long_row_is_left_to_those_who_want_it(settings: Settings) -> None:
    """Every gateway hears every end, so an event has a length; the row is read as ever."""

    async def work(job_store: AsyncJobStore) -> None:
        report = json.dumps({"noise": random.Random(1).randbytes(20_000).hex()})  # noqa: S311 - not a secret
        assert await end_told(job_store, report) == ""
        record = await JobEvents(job_store).wait_for_end("x", PATIENCE_S)
        assert record.report == report

    with_job_store(settings, work)


def test_a_row_of_somebody_else_is_not_heard(settings: Settings) -> None:
    """An event is no way around the owner of a job."""

    async def work(job_store: AsyncJobStore) -> None:
        await job_store.run(job_store.for_owner("a").calls.create(JOB))
        fields = await job_store.client.hgetall(job_key("x"))
        told = json.dumps([text for pair in fields.items() for text in pair])
        assert job_store.for_owner("a").record_from_event("x", told).owner == "a"
        with pytest.raises(UnknownTaskError):
            job_store.for_owner("b").record_from_event("x", told)

    with_job_store(settings, work)


def test_a_wait_ends_with_the_row_that_was_told(settings: Settings) -> None:
    """Nothing is read any more: here the ledger itself says to the end that the job waits."""

    async def work(job_store: AsyncJobStore) -> None:
        await job_store.run(job_store.calls.create(JOB))
        fields = await job_store.client.hgetall(job_key("x")) | {"state": "done", "finished": "1.0"}
        told = json.dumps([text for pair in fields.items() for text in pair])
        events = JobEvents(job_store)
        listening = asyncio.create_task(events.listen())
        waiting = asyncio.create_task(events.wait_for_end("x", PATIENCE_S))
        while not waiting.done():
            # Nobody listens yet, perhaps.
            await job_store.client.publish(EVENTS, f"x done {told}")
            await asyncio.wait([waiting], timeout=0.1)
        assert waiting.result().state is JobState.DONE
        assert (await job_store.read("x")).state is JobState.QUEUED
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    with_job_store(settings, work)
