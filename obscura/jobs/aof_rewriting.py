"""Rewrite Valkey's append-only file (AOF), so that it holds no erased records.

The file holds every write since its last rewrite, and so the fields of records that are erased by now.
"""

from collections.abc import Awaitable, Mapping  # noqa: TC003 - quoted in a cast, needed by its reader
from typing import Any, cast

import structlog
from redis.exceptions import ResponseError

from obscura.jobs.store import AsyncJobStore, job_store_errors

__all__ = ["rewrite_aof"]

log = structlog.get_logger(__name__)


async def rewrite_aof(job_store: AsyncJobStore) -> bool:
    """Start a rewrite of the append-only file; return whether one was started.

    None is started if the server has no such file or is rewriting it already. If it does not allow the
    command (as many hosted servers), a warning is logged.

    Raises
    ------
    QueueUnavailableError
        If the server does not answer.
    """
    with job_store_errors():
        try:
            state = cast("Mapping[str, Any]", await job_store.client.info("persistence"))
            if not state.get("aof_enabled") or state.get("aof_rewrite_in_progress"):
                return False
            await cast("Awaitable[Any]", job_store.client.bgrewriteaof())
        except ResponseError as error:
            log.warning("aof_not_rewritten", reason=str(error))
            return False
    return True
