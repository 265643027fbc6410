"""Registry of the worker processes that serve queues now, their models, and the last fetch of each queue.

A queue is served while both hold: a process registered for it at most `HEARTBEAT_TTL_S` seconds ago (its
models are loaded), and a consumer fetched its messages in the same time. Times are the server's, so that the
clocks of the machines need not agree. /readyz and /metrics read the same registry.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import redis
import redis.asyncio

from obscura.contract import Queue
from obscura.jobs.commands import HEARTBEAT_TTL_S, PREFIX, WORKERS
from obscura.jobs.full_store_writes import write_when_full
from obscura.jobs.store import job_store_errors
from obscura.observability import catalogue
from obscura.observability.catalogue import SEPARATOR

__all__ = [
    "HEARTBEAT_INTERVAL_S",
    "HEARTBEAT_TTL_S",
    "WorkerRegistration",
    "offered_classes",
    "record_consuming",
    "register_worker",
    "unserved_queues",
    "worker_series",
]

HEARTBEAT_INTERVAL_S: Final = 5.0

MODELS: Final = PREFIX + "models"
EXTRA_CLASSES: Final = PREFIX + "extra_classes"
CONSUMED: Final = PREFIX + "consumed"


@dataclass(frozen=True)
class WorkerRegistration:
    """A process with loaded models: its claim token, queues, and models as series of ``model_info``.

    ``extra_classes`` are the classes beyond faces and plates that it can load.
    """

    token: str
    queues: Sequence[Queue]
    models: Sequence[str]
    extra_classes: Sequence[str] = ()


def _now(client: redis.Redis) -> float:
    seconds, microseconds = client.time()
    return seconds + microseconds / 1e6


def register_worker(client: redis.Redis, registration: WorkerRegistration) -> None:
    """Register a process, which counts as alive for `HEARTBEAT_TTL_S` seconds; raise RedisError."""
    now = _now(client)
    tokens = [f"{queue}{SEPARATOR}{registration.token}" for queue in registration.queues]
    classes = [
        f"{queue}{SEPARATOR}{name}" for queue in registration.queues for name in registration.extra_classes
    ]
    for key, members in ((WORKERS, tokens), (MODELS, registration.models), (EXTRA_CLASSES, classes)):
        for member in members:
            write_when_full(client, key, "ZADD", now, member)
        client.zremrangebyscore(key, "-inf", now - HEARTBEAT_TTL_S)


def record_consuming(client: redis.Redis, queues: Sequence[Queue]) -> None:
    """Record that a consumer is fetching messages of ``queues`` now; raise RedisError."""
    now = _now(client)
    for queue in queues:
        write_when_full(client, CONSUMED, "HSET", queue, repr(now))


async def _oldest_heartbeat(client: redis.asyncio.Redis) -> float:
    """Return the time, by the server's clock, before which a heartbeat no longer counts."""
    seconds, microseconds = await client.time()
    return float(seconds + microseconds / 1e6 - HEARTBEAT_TTL_S)


async def unserved_queues(client: redis.asyncio.Redis, queues: Sequence[Queue]) -> tuple[Queue, ...]:
    """Return those of ``queues`` that no worker serves now.

    Raises
    ------
    QueueUnavailableError
        If the server does not answer.
    """
    with job_store_errors():
        oldest = await _oldest_heartbeat(client)
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.zrangebyscore(WORKERS, oldest, "+inf")
            pipeline.hgetall(CONSUMED)
            workers, consumed = await cast("Awaitable[list[Any]]", pipeline.execute())
    registered = {entry.partition(SEPARATOR)[0] for entry in workers}
    fetched = {queue for queue, moment in consumed.items() if float(moment) >= oldest}
    return tuple(queue for queue in queues if queue not in registered or queue not in fetched)


async def offered_classes(client: redis.asyncio.Redis, queue: Queue) -> frozenset[str]:
    """Return the names of the extra classes that a worker of ``queue`` can detect now.

    Raises
    ------
    QueueUnavailableError
        If the server does not answer.
    """
    with job_store_errors():
        oldest = await _oldest_heartbeat(client)
        entries = await cast("Awaitable[list[str]]", client.zrangebyscore(EXTRA_CLASSES, oldest, "+inf"))
    places = (entry.partition(SEPARATOR) for entry in entries)
    return frozenset(name for place, _, name in places if place == queue)


async def worker_series(client: redis.asyncio.Redis, now: float) -> Mapping[str, float]:
    """Return the metric series of registered processes, their models and the last fetch of every queue.

    ``now`` is the server's time in seconds since 1970. Raise RedisError as redis does.
    """
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.zrangebyscore(WORKERS, now - HEARTBEAT_TTL_S, "+inf")
        pipeline.zrangebyscore(MODELS, now - HEARTBEAT_TTL_S, "+inf")
        pipeline.hgetall(CONSUMED)
        workers, models, consumed = await cast("Awaitable[list[Any]]", pipeline.execute())
    series = dict.fromkeys(models, 1.0)
    for entry in workers:
        name = catalogue.WORKERS.series(entry.partition(SEPARATOR)[0])
        series[name] = series.get(name, 0.0) + 1.0
    for queue, moment in consumed.items():
        series[catalogue.LAST_CONSUME.series(queue)] = float(moment)
    return series
