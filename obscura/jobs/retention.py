"""Retention: erase photos and results that are due, and collect orphans."""

import asyncio
from collections.abc import Awaitable  # noqa: TC003 - quoted in a cast, needed by its reader
from typing import cast

import structlog
from redis.exceptions import ResponseError

from obscura.jobs.commands import ERASE, EXPIRY, OBJECT_KINDS, job_key, job_of
from obscura.jobs.records import JobState
from obscura.jobs.store import AsyncJobStore
from obscura.storage import Storage

__all__ = ["ORPHAN_AGE_S", "Retention"]

ORPHAN_AGE_S = 60.0
"""Younger objects may belong to a job that is just being created."""

STATES = frozenset(state.value for state in JobState)
log = structlog.get_logger(__name__)


class Retention:
    """Erases expired jobs, objects that are due, and objects without a record (orphans)."""

    def __init__(self, job_store: AsyncJobStore, storage: Storage) -> None:
        self._job_store = job_store
        self._storage = storage

    async def round(self) -> None:
        """Erase the records of expired jobs and all objects that are due, once."""
        job_store = self._job_store
        for job_id in await job_store.run(job_store.calls.due(EXPIRY)):
            await job_store.run(job_store.calls.erase(job_id, why="expired"))
        for key in await job_store.run(job_store.calls.due(ERASE)):
            await self._erase(key, is_orphan=False)

    async def collect_orphans(self, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Erase objects that no job record refers to, if older than ``older_than_s`` seconds; count them.

        Processes that die between storing an object and writing the record leave them.
        """
        keys = await asyncio.to_thread(self._storage.keys, tuple(OBJECT_KINDS), older_than_s)
        orphans = [key for key in keys if not await self._is_owned(key)]
        for key in orphans:
            await self._erase(key, is_orphan=True)
        unfinished = await asyncio.to_thread(self._storage.delete_unfinished_writes, older_than_s)
        if orphans or unfinished:
            log.warning("orphans_erased", objects=len(orphans), unfinished=unfinished)
        return len(orphans) + unfinished

    async def _erase(self, key: str, *, is_orphan: bool) -> None:
        was_there = await asyncio.to_thread(self._storage.delete, key)
        await self._job_store.run(self._job_store.calls.forget(key, was_there=was_there, is_orphan=is_orphan))

    async def _is_owned(self, key: str) -> bool:
        client = self._job_store.client
        fields = client.hmget(job_key(job_of(key)), ["state", "picture"])
        try:
            state, picture = await cast("Awaitable[list[str | None]]", fields)
        except ResponseError:
            # Not a hash: an unreadable record refers to nothing.
            return False
        # A missing or unknown state: no record, or a damaged one that the lease reaper will fail.
        if state is None or state not in STATES:
            return False
        # Any object of an unfinished job may become its result. A finished job owns its picture only, and
        # objects whose erasure is scheduled.
        if not JobState(state).is_end or key == picture:
            return True
        return await client.zscore(ERASE, key) is not None
