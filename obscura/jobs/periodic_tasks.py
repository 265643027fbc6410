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
    """Do ``work`` every ``interval_s`` seconds until cancelled; a round that fails is logged.

    Of several gateways only one does a round; ``name`` tells the kinds of work apart.
    """
    # Shorter than the interval, so that the same gateway may have the next turn too.
    turn_ms = max(1, int(interval_s * 900))
    while True:
        try:
            turn = job_store.calls.write(f"{PREFIX}{name}", "SET", "1", "NX", "PX", turn_ms)
            if await job_store.run(turn) == "OK":
                await work()
        except ObscuraError as error:
            log.warning("chore_failed", chore=name, code=error.code)
        except (RedisError, OSError) as error:
            log.warning("chore_failed", chore=name, error=type(error).__name__)
        except Exception as error:
            # Jobs would hang, and photos stay, without these: they must outlive their own faults.
            log.exception("chore_crashed", chore=name, error=type(error).__name__)
        await asyncio.sleep(interval_s)
