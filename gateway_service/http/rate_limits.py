"""Rate limits by key and by address, counted in the job store for all gateways together.

Moving window: at any moment the last minute has at most the allowed number of requests. The gateways' clocks
must agree to a small fraction of a window.
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
        # The address is not used, because the job store's connection pool is.
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
            If the limit is exceeded.
        QueueUnavailableError
            If a request that does not only read cannot be counted, because the job store is unavailable or
            full.
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
                # Reading is allowed without counting.
                return False
            message = "requests cannot be counted: the job store is unavailable"
            raise QueueUnavailableError(message) from error
        message = f"more than {limit.amount} requests of one {kind} in {limit.get_expiry()} s"
        raise RateLimitedError(message, max(1, math.ceil(opens - time.time())))


def _limit(text: str) -> RateLimitItem | None:
    return None if text == UNLIMITED else parse(text)
