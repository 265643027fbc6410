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
    """Add the counts of ``meter`` to the job store; if it is away, they stay in the meter."""
    counts = meter.take()
    try:
        if counts:
            _additions(client.pipeline(), counts).execute()
    except (RedisError, OSError):
        meter.restore(counts)


async def flush_counters_async(client: redis.asyncio.Redis, meter: Meter) -> None:
    """Do what `flush_counters` does, with an asyncio client."""
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
