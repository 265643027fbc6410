"""Keeping erased data out of the append-only file of the job store's server.

The file holds every write since it was last rewritten, and so the ids of tasks, the names of photos and
whatever else stood in rows that are erased by now. A rewrite keeps what the server holds now, nothing else.
"""

from collections.abc import Awaitable, Mapping  # noqa: TC003 - quoted in a cast, needed by its reader
from typing import Any, cast

import structlog
from redis.exceptions import RedisError, ResponseError

from obscura.errors import QueueUnavailableError
from obscura.jobs.store import AsyncJobStore

__all__ = ["rewrite_aof"]

log = structlog.get_logger(__name__)


async def rewrite_aof(job_store: AsyncJobStore) -> bool:
    """Have the append-only file rewritten; return whether that has begun.

    Nothing is done where there is no such file, or where it is being rewritten already. A server that does
    not allow the command (many hosted ones) is left to its operator, and that is logged.

    Raises
    ------
    QueueUnavailableError
        If the server does not answer.
    """
    try:
        state = cast("Mapping[str, Any]", await job_store.client.info("persistence"))
        if not state.get("aof_enabled") or state.get("aof_rewrite_in_progress"):
            return False
        await cast("Awaitable[Any]", job_store.client.bgrewriteaof())
    except ResponseError as error:
        log.warning("log_not_rewritten", reason=str(error))
        return False
    except (RedisError, OSError) as error:
        message = "the job ledger cannot be reached"
        raise QueueUnavailableError(message) from error
    return True
