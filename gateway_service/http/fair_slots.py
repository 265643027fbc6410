"""Places for work that a caller waits for: keys take turns, and none holds more than its share."""

import asyncio
from collections import Counter, OrderedDict, deque

__all__ = ["FairSlots", "RequestTurns"]

BEGUN_PER_TURN = 4
"""Requests that begin in one turn of the event loop; each takes about a millisecond until it waits."""


class FairSlots:
    """A semaphore of ``total`` places whose free places go to the waiting keys in turn.

    A key holds at most ``share`` of the places that other keys leave, one at least; callers without a key are
    one group, which may hold all.
    """

    def __init__(self, total: int, share: float) -> None:
        self._total = total
        self._share = share
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def acquire(self, owner: str, patience_s: float | None) -> bool:
        """Wait for a place; return whether there was one within ``patience_s`` seconds (None: no limit)."""
        if owner not in self._waiting and self._has_room(owner):
            self._held[owner] += 1
            return True
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        try:
            async with asyncio.timeout(patience_s):
                await place
        except TimeoutError:
            return self._is_given(owner, place)
        except asyncio.CancelledError:
            if self._is_given(owner, place):
                self.release(owner)
            raise
        return True

    def release(self, owner: str) -> None:
        """Give a place back."""
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        self._hand_out()

    def _is_given(self, owner: str, place: "asyncio.Future[None]") -> bool:
        """Whether a waiter that gives up has been given its place after all; it waits no more."""
        if place.done() and not place.cancelled():
            return True
        self._waiting[owner].remove(place)
        if not self._waiting[owner]:
            del self._waiting[owner]
        return False

    def _has_room(self, owner: str) -> bool:
        used, own = self._held.total(), self._held[owner]
        if used >= self._total:
            return False
        return not owner or own < max(1.0, self._share * (self._total - (used - own)))

    def _hand_out(self) -> None:
        """Give free places to waiting keys, one each in turn."""
        while True:
            owner = next((name for name in self._waiting if self._has_room(name)), None)
            if owner is None:
                return
            self._held[owner] += 1
            self._waiting[owner].popleft().set_result(None)
            if self._waiting[owner]:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]


class RequestTurns:
    """Lets few requests begin in one turn of the event loop, and those of different callers alternate.

    A flood then neither blocks the event loop for seconds nor delays the request of another caller.
    """

    def __init__(self) -> None:
        self._slots = FairSlots(BEGUN_PER_TURN, 1.0)

    async def begin(self, caller: str) -> None:
        """Wait until a request of ``caller`` may begin."""
        await self._slots.acquire(caller, None)
        asyncio.get_running_loop().call_soon(self._slots.release, caller)
