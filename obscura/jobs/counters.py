"""Counters of all processes, summed in the job store."""

from collections.abc import Awaitable, Mapping
from typing import cast

import redis
import redis.asyncio
from redis.exceptions import RedisError

from obscura.jobs.commands import METRICS
from obscura.observability import Meter

__all__ = ["flush_counters", "flush_counters_async"]


def flush_counters(client: redis.Redis, meter: Meter) -> None:
    """Add what a worker's process counted; what cannot be added now is kept for the next time."""
    counts = meter.take()
    try:
        if counts:
            _additions(client.pipeline(), counts).execute()
    except (RedisError, OSError):
        meter.restore(counts)


async def flush_counters_async(client: redis.asyncio.Redis, meter: Meter) -> None:
    """Do the same for a gateway."""
    counts = meter.take()
    try:
        if counts:
            await cast("Awaitable[object]", _additions(client.pipeline(), counts).execute())
    except (RedisError, OSError):
        meter.restore(counts)


def _additions(
    pipeline: "redis.client.Pipeline | redis.asyncio.client.Pipeline", counts: Mapping[str, int]
) -> "redis.client.Pipeline | redis.asyncio.client.Pipeline":
    for series, number in counts.items():
        pipeline.hincrby(METRICS, series, number)
    return pipeline
