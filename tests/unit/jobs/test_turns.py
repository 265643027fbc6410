"""Whose step is handed to the workers next: keys take turns, counted in work, and nothing is lost."""

import base64
import json
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from obscura.contract import JobKind, JobOptions, ObjectClass, Priority, Quality, Queue, Step, StepRequest
from obscura.errors import QueueFullError, ShareExceededError
from obscura.jobs import AsyncJobStore, JobStore, NewJob, step_request
from obscura.jobs.celery_app import Outbox, make_celery
from obscura.jobs.commands import WORKERS, job_key
from obscura.jobs.cost import cost_of
from obscura.jobs.lease_reaper import Reaper
from obscura.settings import Settings
from tests.job_stores import with_job_store

if TYPE_CHECKING:
    from obscura.jobs.claims import Claimed

LANE = Queue.FACES.priority_queue(Priority.INTERACTIVE)
STEP = Step.DETECT_FACES


class Queued:
    """A job store whose priority queue a test takes messages from, as a worker does."""

    def __init__(self, settings: Settings, job_store: AsyncJobStore) -> None:
        self.job_store = job_store
        self._letters = Outbox(make_celery(settings))
        self.claimed: dict[str, Claimed] = {}

    async def serve(self, *processes: str) -> None:
        """Register processes that serve the queue."""
        seconds, _ = await self.job_store.client.time()
        await self.job_store.client.zadd(WORKERS, {f"{Queue.FACES}|{name}": seconds for name in processes})

    async def enter(
        self, owner: str, name: str, cost: float = 1.0, priority_queue: Priority = Priority.INTERACTIVE
    ) -> None:
        """Enter a job of one step."""
        options = JobOptions(classes=(ObjectClass.FACE,), priority=priority_queue)
        job = NewJob(name, JobKind.DETECT, options, f"photos/{name}", cost=cost)
        own = self.job_store.for_owner(owner)
        await own.run(own.calls.create(job, [self._letters.write(step_request(job, STEP))]))

    async def take(self, priority_queue: str = LANE, process: str = "t") -> str:
        """Take the message on the broker's list and claim its step; return the job, empty if none."""
        text = await self.job_store.client.rpop(priority_queue)
        if not isinstance(text, str):
            return ""
        name = str(json.loads(base64.b64decode(json.loads(text)["body"]))[0][0]["job_id"])
        await self.claim(name, process)
        return name

    async def claim(self, name: str, process: str) -> None:
        """Claim a job's step for a process."""
        claimed = await self.job_store.run(self.job_store.calls.claim(name, STEP, process, takeover=False))
        if claimed is not None:
            self.claimed[process] = claimed

    async def end(self, process: str, began_s_ago: float = 0.0) -> None:
        """Complete the step of a process, which began some seconds ago."""
        claimed = self.claimed.pop(process)
        if began_s_ago:
            key, began = job_key(claimed.record.id), claimed.began - began_s_ago
            await self.job_store.client.hset(key, f"b:{STEP}", repr(began))
        await self.job_store.run(self.job_store.calls.complete(claimed, {}))

    async def order(self) -> list[str]:
        """Take everything there is and return it in its order."""
        taken = []
        while name := await self.take():
            taken.append(name)
        return taken


def test_one_photo_comes_next_behind_eighty_of_another_key(settings: Settings) -> None:
    """At most one message lies before it; the eighty keep their order."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        for number in range(80):
            await queue.enter("anna", f"a{number}")
        assert await queue.take() == "a0"
        await queue.enter("ben", "b")
        assert await job_store.client.llen(LANE) == 1
        order = await queue.order()
        assert order.index("b") <= 1
        assert [name for name in order if name != "b"] == [f"a{number}" for number in range(1, 80)]

    with_job_store(settings, story)


def test_turns_are_counted_in_work(settings: Settings) -> None:
    """A key whose photos cost ten times as much gets one done while the other gets ten."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        for number in range(3):
            await queue.enter("anna", f"a{number}", cost=10.0)
        for number in range(30):
            await queue.enter("ben", f"b{number}", cost=1.0)
        order = await queue.order()
        places = [order.index(f"a{number}") for number in range(3)]
        assert [later - place for place, later in pairwise(places)] == [11, 11]

    with_job_store(settings, story)


def test_who_comes_and_goes_gains_nothing(settings: Settings) -> None:
    """A key with one photo at a time takes no more turns than one with a pile."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        for number in range(12):
            await queue.enter("anna", f"a{number}")
        taken = []
        for number in range(10):
            await queue.enter("ben", f"b{number}")
            taken += [await queue.take()]
        assert sum(name.startswith("b") for name in taken) <= 6

    with_job_store(settings, story)


def test_an_erased_job_takes_no_turn(settings: Settings) -> None:
    """Its message is never handed out, and goes with its record."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        for number in range(4):
            await queue.enter("anna", f"a{number}")
        await job_store.run(job_store.calls.erase("a1"))
        assert await queue.order() == ["a0", "a2", "a3"]

    with_job_store(settings, story)


@pytest.mark.parametrize("lost", ["message", "turns", "waiting", "everything beside the records"])
def test_what_is_lost_is_handed_out_again(settings: Settings, lost: str) -> None:
    """A message that its worker took to its grave, or any of the lists emptied by hand: all jobs come."""
    settings = settings.model_copy(update={"lease_s": 0})

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        outbox_messages = Outbox(make_celery(settings))

        async def send(request: StepRequest) -> None:
            await job_store.run(job_store.calls.enqueue(request.job_id, [outbox_messages.write(request)]))

        for number in range(5):
            await queue.enter("anna", f"a{number}")
        if lost == "message":
            await job_store.client.delete(LANE)
        elif lost == "turns":
            await job_store.client.delete(f"obscura:turns:{LANE}")
        elif lost == "waiting":
            await job_store.client.delete(f"obscura:waiting:{LANE}:anna")
        else:
            await job_store.client.delete(LANE, f"obscura:turns:{LANE}", f"obscura:waiting:{LANE}:anna")
        await Reaper(job_store, send).round()
        taken = []
        for _ in range(5):
            taken += await queue.order()
            await Reaper(job_store, send).round()
        assert set(taken) == {f"a{number}" for number in range(5)}

    with_job_store(settings, story)


def test_bulk_and_interactive_wait_apart(settings: Settings) -> None:
    """A pile of bulk photos of a key takes no turn of its interactive ones."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        for number in range(5):
            await queue.enter("anna", f"bulk{number}", priority_queue=Priority.BULK)
        await queue.enter("anna", "now")
        assert await queue.order() == ["now"]
        assert await queue.take(Queue.FACES.priority_queue(Priority.BULK)) == "bulk0"

    with_job_store(settings, story)


def test_a_message_leaves_the_record_when_it_is_handed_out(settings: Settings) -> None:
    """A record holds a message for as long as it waits, and no longer."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        await queue.enter("anna", "a0")
        await queue.enter("anna", "a1")
        assert await job_store.client.hget(job_key("a0"), f"m:{STEP}") is None
        assert await job_store.client.hget(job_key("a1"), f"m:{STEP}")
        await queue.take()
        assert await job_store.client.hget(job_key("a1"), f"m:{STEP}") is None

    with_job_store(settings, story)


def test_a_key_has_a_share_of_the_queue(settings: Settings) -> None:
    """Half of what others leave: each next key still finds a place; without keys there is one limit."""
    settings = settings.model_copy(update={"queue_limit": 8})

    async def story(job_store: AsyncJobStore) -> None:
        queue, places = Queued(settings, job_store), {}
        for owner in ("anna", "ben", "carl"):
            with suppress(ShareExceededError):
                for number in range(9):
                    await queue.enter(owner, f"{owner}{number}")
                    places[owner] = number + 1
        assert places == {"anna": 4, "ben": 2, "carl": 1}
        for name in ("anna0", "anna1"):
            await job_store.run(job_store.calls.erase(name))
        await queue.enter("anna", "anna-again")
        with pytest.raises(ShareExceededError, match="OBSCURA_KEY_SHARE"):
            await queue.enter("anna", "one-too-many")
        for number in range(2):
            await queue.enter("", f"nobody{number}")
        with pytest.raises(QueueFullError):
            await queue.enter("", "one-too-many")

    with_job_store(settings, story)


def test_a_job_costs_what_its_photo_is() -> None:
    """More for more pixels and for a harder look; something for every photo."""
    balanced, rapid = JobOptions(), JobOptions(quality=Quality.RAPID)
    assert cost_of(JobKind.BLUR, balanced, 24.0) == pytest.approx(10 * cost_of(JobKind.BLUR, rapid, 24.0))
    assert cost_of(JobKind.BLUR, balanced, 48.0) == pytest.approx(2 * cost_of(JobKind.BLUR, balanced, 24.0))
    assert cost_of(JobKind.BLUR, balanced, 0.0) > 0


def test_a_workers_steps_take_turns_as_well(settings: Settings) -> None:
    """Steps that are released later wait behind nobody else's pile either."""
    job_store, outbox_messages = JobStore(settings), Outbox(make_celery(settings))
    jobs = [
        NewJob(f"j{n}", JobKind.BLUR, JobOptions(classes=(ObjectClass.FACE,)), f"photos/j{n}")
        for n in range(3)
    ]
    for job in jobs:
        job_store.run(job_store.calls.create(job))
        claimed = job_store.run(job_store.calls.claim(job.id, STEP, "t", takeover=False))
        assert claimed is not None
        ended = job_store.run(job_store.calls.complete(claimed, {"x": "y"}))
        assert ended.next_steps == (Step.REDACT,)
        assert job_store.run(
            job_store.calls.enqueue(job.id, [outbox_messages.write(step_request(job, Step.REDACT))])
        )
    assert job_store.client.llen(Queue.REDACTION.priority_queue(Priority.INTERACTIVE)) == 1
    assert job_store.client.zcard(f"obscura:waiting:{Queue.REDACTION}:") == 2
    job_store.close()
