"""A snapshot of the whole system as metric series, read from the job store."""

from collections import defaultdict
from collections.abc import Awaitable, Mapping
from typing import Any, Final, cast

from obscura.contract import STEP_TASKS, JobKind, Priority, Queue, Step, queues_of
from obscura.jobs.commands import AUDIT, COUNTERS, ERASE, EXAMINED, EXPIRY, METRICS
from obscura.jobs.store import AsyncJobStore, job_store_errors
from obscura.jobs.worker_registry import worker_series
from obscura.observability import catalogue as c
from obscura.observability.catalogue import SEPARATOR

__all__ = ["PURGES", "Series", "stats_snapshot"]

Series = Mapping[str, float]
PURGES: Final = ("original_erased", "result_erased", "orphan_erased", "expired", "deleted", "withdrawn")
"""Events of the audit log that erase something."""

# Jobs per run of the script, which blocks the server for about four milliseconds.
JOBS_AT_ONCE: Final = 1000
STATES: Final = ("queued", "running")
OVERDUE_S: Final = 60.0


async def stats_snapshot(job_store: AsyncJobStore) -> Series:
    """Return all metric series that are read from the job store.

    Raises
    ------
    QueueUnavailableError
        If the server does not answer.
    """
    with job_store_errors():
        totals, gauges, now = await _facts(job_store)
        return {
            **_zeros(job_store),
            **totals,
            **gauges,
            **await worker_series(job_store.client, now),
            **await _jobs(job_store),
        }


def _zeros(job_store: AsyncJobStore) -> Series:
    """Return the series that are exported as 0 before their first event, so that rates have a start."""
    series = [c.TASKS.series(kind, state) for kind in JobKind for state in ("accepted", "done", "failed")]
    series += [c.PURGED.series(what) for what in PURGES]
    series += [c.UNREADABLE.series(), c.RECEIVERS_OFF.series()]
    for queue in queues_of(job_store.calls.settings.pipeline):
        series.append(c.WORKERS.series(queue))
        series += [
            c.QUEUE_DEPTH.series(queue, priority_queue, state)
            for priority_queue in Priority
            for state in STATES
        ]
    return dict.fromkeys(series, 0.0)


async def _facts(job_store: AsyncJobStore) -> tuple[Series, Series, float]:
    """Return counter series, gauge series, and the server's time in seconds since 1970."""
    settings = job_store.calls.settings
    priority_queues = [(queue, priority) for queue in Queue for priority in Priority]
    seconds, microseconds = await job_store.client.time()
    now = seconds + microseconds / 1e6
    async with job_store.client.pipeline(transaction=False) as together:
        together.hgetall(METRICS)
        together.hgetall(COUNTERS)
        together.info("memory")
        together.zcard(EXPIRY)
        together.zcount(ERASE, "-inf", now - OVERDUE_S)
        together.xlen(AUDIT)
        for queue, priority in priority_queues:
            together.llen(queue.priority_queue(priority))
        answers = await cast("Awaitable[list[Any]]", together.execute())
    metrics, events, memory, kept, overdue, waiting, *lengths = answers
    totals = {series: float(number) for series, number in metrics.items()}
    totals |= {c.PURGED.series(event): float(events[event]) for event in PURGES if event in events}
    gauges = {
        c.KEPT.series(): float(kept),
        c.OVERDUE.series(): float(overdue),
        c.AUDIT_WAITING.series(): float(waiting),
        c.JOB_STORE_MEMORY.series(): float(memory["used_memory"]),
        c.JOB_STORE_MEMORY_LIMIT.series(): float(memory["maxmemory"]),
        c.QUEUE_LIMIT.series(Priority.INTERACTIVE): float(settings.queue_limit),
        c.QUEUE_LIMIT.series(Priority.BULK): float(settings.bulk_queue_limit),
    }
    for (queue, priority), length in zip(priority_queues, lengths, strict=True):
        gauges[c.QUEUE_MESSAGES.series(queue, priority)] = float(length)
    return totals, gauges, now


async def _jobs(job_store: AsyncJobStore) -> Series:
    """Return the series of unfinished jobs: number, age and queue depth."""
    found: dict[str, float] = defaultdict(float)
    first, looked_at = 0, float(JOBS_AT_ONCE)
    while looked_at == JOBS_AT_ONCE:
        part = await job_store.run(job_store.calls.stats_snapshot(first, first + JOBS_AT_ONCE - 1))
        looked_at = part[EXAMINED]
        first += JOBS_AT_ONCE
        for name, number in part.items():
            series = _series(name)
            if series is None:
                continue
            found[series] = max(found[series], number) if name.startswith("age") else found[series] + number
    return found


def _series(name: str) -> str | None:
    """Return the series for a name in the script's reply, None for other names."""
    match name.split(SEPARATOR):
        case "step", step, priority_queue, state:
            return c.QUEUE_DEPTH.series(STEP_TASKS[Step(step)].queue, priority_queue, state)
        case "job", kind, state:
            return c.UNFINISHED.series(kind, state)
        case "age", kind, state:
            return c.OLDEST.series(kind, state)
        case _:
            return None
