"""Run a task periodically in one gateway at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import RedisError

from obscura.errors import ObscuraError
from obscura.jobs.commands import PREFIX
from obscura.jobs.store import AsyncJobStore

__all__ = ["repeat"]

log = structlog.get_logger(__name__)


async def repeat(
    name: str, interval_s: float, job_store: AsyncJobStore, work: Callable[[], Awaitable[None]]
) -> None:
    """Await ``work()`` every ``interval_s`` seconds until cancelled; exceptions are logged.

    Of several gateways one does each run: it holds a lock in the job store that is called ``name``.
    """
    # Shorter than the interval, so that the same gateway can take the lock for the next run.
    lock_ms = max(1, int(interval_s * 900))
    while True:
        try:
            lock = job_store.calls.write(f"{PREFIX}{name}", "SET", "1", "NX", "PX", lock_ms)
            if await job_store.run(lock) == "OK":
                await work()
        except ObscuraError as error:
            log.warning("periodic_task_failed", task=name, code=error.code)
        except (RedisError, OSError) as error:
            log.warning("periodic_task_failed", task=name, error=type(error).__name__)
        except Exception as error:
            # Without the lease reaper jobs would hang, and without retention photos would stay: keep running.
            log.exception("periodic_task_crashed", task=name, error=type(error).__name__)
        await asyncio.sleep(interval_s)
