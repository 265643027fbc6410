"""How many processes a key may hold while others use them: all but one, unless its photos are cheap."""

import pytest

from obscura.contract import Queue
from obscura.jobs import AsyncJobStore
from obscura.settings import Settings
from tests.job_stores import with_job_store
from tests.unit.jobs.test_turns import LANE, Queued

COSTLY = 40.0
SERVED = "obscura:served"
LONGEST = "obscura:longest_step:"
LATELY = {"p1 ben": 1e12}
"""For the whole of a test, however long it takes."""


def test_a_key_leaves_a_process_to_a_key_that_waits(settings: Settings) -> None:
    """Of two processes a pile of costly photos holds one, as soon as another key's photo is there."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        await queue.serve("p1", "p2")
        for number in range(6):
            await queue.enter("anna", f"a{number}", COSTLY)
        assert [await queue.take(process="p1"), await queue.take(process="p2")] == ["a0", "a1"]
        for number in range(3):
            await queue.enter("ben", f"b{number}", COSTLY)
        await queue.end("p1")
        # It was handed out before Ben's came.
        assert await queue.take(process="p1") == "a2"
        await queue.end("p2")
        for name in ("b0", "b1", "b2"):
            assert await queue.take(process="p2") == name
            assert not await queue.take(process="p3")
            await queue.end("p2")
        await queue.end("p1")
        assert await queue.take(process="p1") == "a3"

    with_job_store(settings, story)


def test_a_process_stays_free_for_a_key_that_was_served_lately(settings: Settings) -> None:
    """Costly photos leave the last process to a key whose next photo is on its way; cheap ones do not."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        await queue.serve("p1", "p2")
        await queue.enter("ben", "b0")
        assert await queue.take(process="p1") == "b0"
        await queue.end("p1")
        await job_store.client.zadd(SERVED, LATELY)
        for name in ("a0", "a1"):
            await queue.enter("anna", name, COSTLY)
        assert await queue.take(process="p2") == "a0"
        assert not await queue.take(process="p1")
        await queue.enter("ben", "b1")
        assert await queue.take(process="p1") == "b1"
        await queue.end("p1")
        # Nobody else was served lately: she has both.
        await job_store.client.delete(SERVED)
        await job_store.run(job_store.calls.hand_out([Queue.FACES]))
        assert await queue.take(process="p1") == "a1"
        await queue.end("p1")
        await queue.enter("ben", "b2")
        assert await queue.take(process="p1") == "b2"
        await queue.end("p1")
        await queue.enter("anna", "small", cost=0.3)
        assert await queue.take(process="p1") == "small"

    with_job_store(settings, story)


def test_cheap_photos_take_turns_at_every_process(settings: Settings) -> None:
    """Until one that looked cheap takes long: then its key leaves a process to others as well."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        await queue.serve("p1", "p2")
        await job_store.client.zadd(SERVED, LATELY)
        for number in range(6):
            await queue.enter("anna", f"a{number}")
        assert [await queue.take(process="p1"), await queue.take(process="p2")] == ["a0", "a1"]
        await queue.enter("ben", "b0")
        await queue.end("p1", began_s_ago=30.0)
        assert await queue.take(process="p1") == "a2"
        await queue.end("p2")
        assert await queue.take(process="p2") == "b0"
        await queue.end("p2")
        assert not await queue.take(process="p2")
        await queue.end("p1")
        assert await queue.take(process="p1") == "a3"
        assert not await queue.take(process="p2")

    with_job_store(settings, story)


@pytest.mark.parametrize(("hers", "his", "has_both"), [(0.4, 0.1, False), (0.2, 0.1, True), (0.4, 0.3, True)])
def test_a_step_is_cheap_by_those_of_the_others(
    settings: Settings, hers: float, his: float, *, has_both: bool
) -> None:
    """Whoever waits a moment for photos like his own, or for brief ones, is not kept waiting."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        await queue.serve("p1", "p2")
        await job_store.client.zadd(SERVED, LATELY)
        await job_store.client.mset({f"{LONGEST}anna": hers, f"{LONGEST}ben": his})
        for name in ("a0", "a1"):
            await queue.enter("anna", name)
        assert await queue.take(process="p1") == "a0"
        assert bool(await queue.take(process="p2")) is has_both

    with_job_store(settings, story)


def test_a_key_alone_has_every_process(settings: Settings) -> None:
    """Nobody else is there to be fair to, whatever the photos cost."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        processes = ("p1", "p2", "p3")
        await queue.serve(*processes)
        for number in range(3):
            await queue.enter("anna", f"a{number}", COSTLY)
        assert [await queue.take(process=process) for process in processes] == ["a0", "a1", "a2"]

    with_job_store(settings, story)


def test_a_message_on_its_way_to_a_process_counts(settings: Settings) -> None:
    """Between leaving the broker's list and its claim, a step is neither waiting nor in work."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        await queue.serve("p1", "p2")
        for number in range(3):
            await queue.enter("anna", f"a{number}", COSTLY)
        await job_store.client.rpop(LANE)
        await queue.enter("ben", "b0")
        await queue.claim("a0", "p1")
        assert await queue.take(process="p2") == "b0"

    with_job_store(settings, story)


def test_turns_are_counted_in_the_time_that_steps_took(settings: Settings) -> None:
    """A photo that looks cheap and takes 40 seconds costs its key 40 photos' turns."""

    async def story(job_store: AsyncJobStore) -> None:
        queue = Queued(settings, job_store)
        for number in range(3):
            await queue.enter("anna", f"a{number}")
        assert await queue.take() == "a0"
        for number in range(30):
            await queue.enter("ben", f"b{number}")
        await queue.end("t", began_s_ago=20.0)
        order = await queue.order()
        assert order[0] == "a1"
        assert order.index("a2") >= 18

    with_job_store(settings, story)


def test_what_a_killed_process_or_a_gone_key_leaves_expires(settings: Settings) -> None:
    """Nothing else would ever delete it: a step in work, and how long the late steps of a key took."""

    async def story(job_store: AsyncJobStore) -> None:
        queue, client = Queued(settings, job_store), job_store.client
        for number in range(2):
            await queue.enter("anna", f"a{number}")
        assert await queue.take(process="p1") == "a0"
        assert await queue.take(process="p2") == "a1"
        await queue.end("p1")
        left = {key for name in ("working", "longest_step") for key in await client.keys(f"obscura:{name}:*")}
        assert left == {"obscura:working:p2", "obscura:longest_step:anna"}
        for key in left:
            assert await client.ttl(key) > 0

    with_job_store(settings, story)
