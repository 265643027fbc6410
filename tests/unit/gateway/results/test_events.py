"""Who waits for the end of a job is woken by its end, and not by every step on the way."""

import asyncio
import json
import random
from contextlib import suppress

import pytest

from gateway_service.results.events import JobEvents
from obscura.contract import JobKind, JobOptions, ObjectClass, Pipeline
from obscura.errors import UnknownTaskError
from obscura.jobs import AsyncLedger, JobState, NewJob
from obscura.jobs.commands import EVENTS, job_key
from obscura.settings import Settings
from tests.job_stores import with_ledger

PATIENCE_S = 60.0
JOB = NewJob(
    "x", JobKind.DETECT, JobOptions(classes=(ObjectClass.FACE,)), "photos/x", pipeline=Pipeline.FUSED
)


@pytest.mark.parametrize("end", ["done", "failed", "erased"])
def test_a_wait_for_the_end_is_woken_by_the_end_alone(settings: Settings, end: str) -> None:
    """Who watches hears that a job was begun; who waits for its end hears nothing until then."""

    async def work(ledger: AsyncLedger) -> None:
        events = JobEvents(ledger)
        listening = asyncio.create_task(events.listen())
        with events.watched(["x"]) as any_news, events.watched(["x"], for_end=True) as the_end:
            async with asyncio.timeout(PATIENCE_S):
                while not any_news.is_set():
                    # Nobody listens yet, perhaps.
                    await ledger.client.publish(EVENTS, "x running")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(any_news.wait(), 0.1)
                assert not the_end.is_set()
                await ledger.client.publish(EVENTS, f"x {end}")
                await the_end.wait()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    with_ledger(settings, work)


LONG = json.dumps({"text": "z" * 10_000})


async def ended(ledger: AsyncLedger, report: str) -> None:
    """Enter a job and end it with a report."""
    await ledger.run(ledger.calls.create(JOB))
    claimed = await ledger.run(ledger.calls.claim("x", JOB.first_steps[0], "token", takeover=False))
    assert claimed is not None
    fields = {"report": report, "picture": "results/x.token", "media_type": "image/jpeg"}
    assert (await ledger.run(ledger.calls.complete(claimed, fields))).finished


async def end_told(ledger: AsyncLedger, report: str) -> str:
    """Return what follows the word that a job has ended, in the event of its end."""
    async with ledger.client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(EVENTS)
        # The first answer is that the channel is subscribed to: nothing is missed after it.
        await channel.get_message(timeout=PATIENCE_S)
        await ended(ledger, report)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await channel.get_message(timeout=None)
                if message is not None and message["data"].startswith("x done"):
                    return str(message["data"].removeprefix("x done"))


@pytest.mark.parametrize("report", ["{}", '{"text": "\u00e4\\u00e4/\\"\\n"}', LONG])
def test_the_event_of_an_end_tells_the_row(settings: Settings, report: str) -> None:
    """What is heard is what would have been read, to the letter; it is remembered as what is read."""

    async def work(ledger: AsyncLedger) -> None:
        told = await end_told(ledger, report)
        read = await ledger.read("x")
        ledger.ended.forget("x")
        assert ledger.heard("x", told.strip()) == read
        assert (read.state, read.report) == (JobState.DONE, report)
        assert ledger.ended.get("x") == await ledger.client.hgetall(job_key("x"))

    with_ledger(settings, work)


def test_a_long_row_is_left_to_those_who_want_it(settings: Settings) -> None:
    """Every gateway hears every end, so an event has a length; the row is read as ever."""

    async def work(ledger: AsyncLedger) -> None:
        report = json.dumps({"noise": random.Random(1).randbytes(20_000).hex()})  # noqa: S311 - not a secret
        assert await end_told(ledger, report) == ""
        row = await JobEvents(ledger).wait_for_end("x", PATIENCE_S)
        assert row.report == report

    with_ledger(settings, work)


def test_a_row_of_somebody_else_is_not_heard(settings: Settings) -> None:
    """An event is no way around the owner of a job."""

    async def work(ledger: AsyncLedger) -> None:
        await ledger.run(ledger.seen_by("a").calls.create(JOB))
        fields = await ledger.client.hgetall(job_key("x"))
        told = json.dumps([text for pair in fields.items() for text in pair])
        assert ledger.seen_by("a").heard("x", told).owner == "a"
        with pytest.raises(UnknownTaskError):
            ledger.seen_by("b").heard("x", told)

    with_ledger(settings, work)


def test_a_wait_ends_with_the_row_that_was_told(settings: Settings) -> None:
    """Nothing is read any more: here the ledger itself says to the end that the job waits."""

    async def work(ledger: AsyncLedger) -> None:
        await ledger.run(ledger.calls.create(JOB))
        fields = await ledger.client.hgetall(job_key("x")) | {"state": "done", "finished": "1.0"}
        told = json.dumps([text for pair in fields.items() for text in pair])
        events = JobEvents(ledger)
        listening = asyncio.create_task(events.listen())
        waiting = asyncio.create_task(events.wait_for_end("x", PATIENCE_S))
        while not waiting.done():
            # Nobody listens yet, perhaps.
            await ledger.client.publish(EVENTS, f"x done {told}")
            await asyncio.wait([waiting], timeout=0.1)
        assert waiting.result().state is JobState.DONE
        assert (await ledger.read("x")).state is JobState.QUEUED
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    with_ledger(settings, work)
