"""Heartbeats of workers by queue.

A queue is served while both halves are fresh: a process of it has its model loaded (``ready``), and
its consumer's event loop, the one that fetches messages, still turns (``consuming``).
"""

from collections.abc import Awaitable, Sequence
from typing import cast

import redis
import redis.asyncio
from redis.exceptions import RedisError

from obscura.contract import Queue
from obscura.errors import QueueUnavailableError
from obscura.jobs.always import write_always

BEAT_S = 5.0
FRESH_S = 20


def _keys(queue: Queue) -> tuple[str, str]:
    return f"obscura:ready:{queue}", f"obscura:consuming:{queue}"


class Heartbeats:
    """Leaves and reads heartbeats."""

    @staticmethod
    def ready(client: redis.Redis, queue: Queue) -> None:
        """Say that a process of ``queue`` has its model loaded."""
        write_always(client, _keys(queue)[0], "SET", "1", "EX", FRESH_S)

    @staticmethod
    def consuming(client: redis.Redis, queue: Queue) -> None:
        """Say that messages of ``queue`` are being fetched."""
        write_always(client, _keys(queue)[1], "SET", "1", "EX", FRESH_S)

    @staticmethod
    def is_served(client: redis.Redis, queue: Queue) -> bool:
        """Whether a worker serves ``queue`` now."""
        return client.exists(*_keys(queue)) == len(_keys(queue))

    @staticmethod
    async def unserved(client: redis.asyncio.Redis, queues: Sequence[Queue]) -> tuple[Queue, ...]:
        """Return those of ``queues`` that no worker serves now.

        Raises
        ------
        QueueUnavailableError
            If the server does not answer.
        """
        names = [key for queue in queues for key in _keys(queue)]
        try:
            values = await cast("Awaitable[list[str | None]]", client.mget(names))
        except (RedisError, OSError) as error:
            message = "the job ledger cannot be reached"
            raise QueueUnavailableError(message) from error
        fresh = dict(zip(names, values, strict=True))
        return tuple(queue for queue in queues if not all(fresh[key] for key in _keys(queue)))
