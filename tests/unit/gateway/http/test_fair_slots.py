"""Places that keys take turns for."""

import asyncio
from collections import Counter

import pytest

from gateway_service.http.fair_slots import BEGUN_PER_TURN, FairSlots, RequestTurns

SOON_S = 0.02


def test_one_place_goes_round() -> None:
    """A key with a pile of waiting requests gets every other turn, not all before the other key's one."""

    async def story() -> None:
        slots, order = FairSlots(1, 0.5), []

        async def work(owner: str) -> None:
            assert await slots.acquire(owner, 60)
            order.append(owner)
            await asyncio.sleep(0)
            slots.release(owner)

        await slots.acquire("anna", 60)
        waiting = [asyncio.create_task(work("anna")) for _ in range(10)]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(work("ben")))
        await asyncio.sleep(0)
        slots.release("anna")
        await asyncio.gather(*waiting)
        assert order.index("ben") <= 1

    asyncio.run(story())


def test_a_key_holds_its_share_only() -> None:
    """Of four places a key gets two, the next one of the others; callers without keys get all."""

    async def story() -> None:
        slots = FairSlots(4, 0.5)
        assert [await slots.acquire("anna", SOON_S) for _ in range(3)] == [True, True, False]
        assert [await slots.acquire("ben", SOON_S) for _ in range(2)] == [True, False]
        assert await slots.acquire("carl", SOON_S)
        assert not await slots.acquire("dora", SOON_S)
        nobody = FairSlots(4, 0.5)
        assert [await nobody.acquire("", SOON_S) for _ in range(5)] == [True] * 4 + [False]

    asyncio.run(story())


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
def test_who_gives_up_leaves_no_hole(how: str) -> None:
    """A waiter that goes away neither keeps a place nor loses one."""

    async def story() -> None:
        slots = FairSlots(1, 1.0)
        assert await slots.acquire("anna", SOON_S)
        waiter = asyncio.create_task(slots.acquire("ben", 60 if how == "cancelled" else SOON_S))
        await asyncio.sleep(0)
        if how == "cancelled":
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
        else:
            assert not await waiter
        slots.release("anna")
        assert await slots.acquire("carl", SOON_S)

    asyncio.run(story())


def test_a_place_given_to_a_cancelled_waiter_goes_on() -> None:
    """Given and cancelled in the same turn of the loop: the place is free for the next."""

    async def story() -> None:
        slots = FairSlots(1, 1.0)
        assert await slots.acquire("anna", SOON_S)
        waiter = asyncio.create_task(slots.acquire("ben", 60))
        await asyncio.sleep(0)
        slots.release("anna")
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        assert await slots.acquire("carl", SOON_S)

    asyncio.run(story())


def test_few_requests_begin_in_a_turn_of_the_loop_and_callers_alternate() -> None:
    """A hundred requests of one caller do not all begin at once, and another's does not wait for them."""

    async def story() -> None:
        loop, turns = asyncio.get_running_loop(), RequestTurns()
        begun: list[tuple[int, str]] = []
        turn = 0

        def count() -> None:
            nonlocal turn
            turn += 1
            loop.call_soon(count)

        async def request(caller: str) -> None:
            await turns.begin(caller)
            begun.append((turn, caller))

        count()
        async with asyncio.TaskGroup() as group:
            for caller in ["anna"] * 100 + ["ben"]:
                group.create_task(request(caller))
        assert max(Counter(number for number, _ in begun).values()) <= BEGUN_PER_TURN
        assert [caller for _, caller in begun].index("ben") <= 2 * BEGUN_PER_TURN

    asyncio.run(story())
