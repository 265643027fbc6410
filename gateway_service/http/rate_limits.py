"""Rate limits by key and by address, counted in the job store for all gateways together.

The window moves: at no moment are there more requests within the last minute than the limit says. Times are
those of the gateways, so their clocks should agree to well within a window.
"""

import math
import time

import redis.asyncio
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from obscura.errors import QueueUnavailableError, RateLimitedError
from obscura.settings import Settings

__all__ = ["RateLimits"]

UNLIMITED = "0"
KEYED_ADDRESS_LIMIT = "6000/minute"


class RateLimits:
    """The limits of one installation."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis, *, keys: bool) -> None:
        # The address is never used: the connections are the ledger's own.
        storage = RedisStorage(
            "async+redis://127.0.0.1:6379",
            implementation="redispy",
            key_prefix="obscura:rate",
            connection_pool=client.connection_pool,  # type: ignore[arg-type]  # documented, but not in the hints
        )
        self._limiter = MovingWindowRateLimiter(storage)
        by_address = settings.address_rate_limit
        if by_address is None:
            by_address = KEYED_ADDRESS_LIMIT if keys else UNLIMITED
        self._of_address = _limit(by_address)
        self._of_key = _limit(settings.rate_limit)

    async def hit_address(self, address: str, *, reads: bool = False) -> bool:
        """Count a request of an address and return whether it could be counted; see ``hit_key``."""
        return await self._hit(self._of_address, ("address", address), reads=reads)

    async def hit_key(self, key_id: str, *, reads: bool = False) -> bool:
        """Count a request with a key and return whether it could be counted.

        Raises
        ------
        RateLimitedError
            If it is one too many.
        QueueUnavailableError
            If it cannot be counted, since the server is away or full, and it does not only read.
        """
        return await self._hit(self._of_key, ("key", key_id), reads=reads)

    async def _hit(self, limit: RateLimitItem | None, who: tuple[str, str], *, reads: bool) -> bool:
        if limit is None:
            return True
        kind = who[0]
        try:
            if await self._limiter.hit(limit, *who):
                return True
            opens, _ = await self._limiter.get_window_stats(limit, *who)
        except (RedisError, OSError) as error:
            if reads:
                # Who only reads fills nothing: a finished result is given all the same.
                return False
            message = "requests cannot be counted: the server of the job ledger is away"
            raise QueueUnavailableError(message) from error
        message = f"more than {limit.amount} requests of one {kind} in {limit.get_expiry()} s"
        raise RateLimitedError(message, max(1, math.ceil(opens - time.time())))


def _limit(text: str) -> RateLimitItem | None:
    return None if text == UNLIMITED else parse(text)
