"""Registry of worker processes, loaded models and last consumption, for /metrics."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis
import redis.asyncio

from obscura.contract import Queue
from obscura.jobs.always import write_always
from obscura.jobs.commands import PREFIX
from obscura.jobs.heartbeat import FRESH_S
from obscura.observability import catalogue
from obscura.observability.catalogue import SEPARATOR

__all__ = ["WorkerRegistry", "note_consuming", "present", "register_worker"]

WORKERS = PREFIX + "workers"
MODELS = PREFIX + "models"
CONSUMED = PREFIX + "consumed"


@dataclass(frozen=True)
class WorkerRegistry:
    """A process that is ready: its token, its queues, and its models as series of ``model_info``."""

    token: str
    queues: Sequence[Queue]
    models: Sequence[str]


def _now(client: redis.Redis) -> float:
    # The server's own clock: those of the workers need not agree.
    seconds, microseconds = client.time()
    return seconds + microseconds / 1e6


def register_worker(client: redis.Redis, presence: WorkerRegistry) -> None:
    """Say that a process is there; it is counted for `FRESH_S` seconds."""
    now = _now(client)
    tokens = [f"{queue}{SEPARATOR}{presence.token}" for queue in presence.queues]
    for key, members in ((WORKERS, tokens), (MODELS, presence.models)):
        for member in members:
            write_always(client, key, "ZADD", now, member)
        client.zremrangebyscore(key, "-inf", now - FRESH_S)


def note_consuming(client: redis.Redis, queues: Sequence[Queue]) -> None:
    """Say that messages of ``queues`` were being fetched just now."""
    now = _now(client)
    for queue in queues:
        write_always(client, CONSUMED, "HSET", queue, repr(now))


async def present(client: redis.asyncio.Redis, now: float) -> Mapping[str, float]:
    """Return series of who is there, ``now`` by the server's clock."""
    async with client.pipeline(transaction=False) as together:
        together.zrangebyscore(WORKERS, now - FRESH_S, "+inf")
        together.zrangebyscore(MODELS, now - FRESH_S, "+inf")
        together.hgetall(CONSUMED)
        workers, models, consumed = await cast("Awaitable[list[Any]]", together.execute())
    series = dict.fromkeys(models, 1.0)
    for entry in workers:
        name = catalogue.WORKERS.series(entry.partition(SEPARATOR)[0])
        series[name] = series.get(name, 0.0) + 1.0
    for queue, moment in consumed.items():
        series[catalogue.LAST_CONSUME.series(queue)] = float(moment)
    return series
