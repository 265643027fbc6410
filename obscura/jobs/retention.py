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
"""Younger objects may belong to a job that is just being entered."""

STATES = frozenset(state.value for state in JobState)
log = structlog.get_logger(__name__)


class Retention:
    """Erases what the ledger has given up."""

    def __init__(self, job_store: AsyncJobStore, storage: Storage) -> None:
        self._job_store = job_store
        self._storage = storage

    async def round(self) -> None:
        """Forget the jobs that have expired, and erase every object that is due."""
        job_store = self._job_store
        for job_id in await job_store.run(job_store.calls.due(EXPIRY)):
            await job_store.run(job_store.calls.erase(job_id, why="expired"))
        for key in await job_store.run(job_store.calls.due(ERASE)):
            await self._erase(key, is_orphan=False)

    async def collect_orphans(self, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Erase objects that no job owns, left by a process that died; return how many there were."""
        keys = await asyncio.to_thread(self._storage.keys, tuple(OBJECT_KINDS), older_than_s)
        orphans = [key for key in keys if not await self._is_owned(key)]
        for key in orphans:
            await self._erase(key, is_orphan=True)
        scraps = await asyncio.to_thread(self._storage.delete_unfinished_writes, older_than_s)
        if orphans or scraps:
            log.warning("orphans_erased", objects=len(orphans), unfinished=scraps)
        return len(orphans) + scraps

    async def _erase(self, key: str, *, is_orphan: bool) -> None:
        was_there = await asyncio.to_thread(self._storage.delete, key)
        await self._job_store.run(self._job_store.calls.forget(key, was_there=was_there, is_orphan=is_orphan))

    async def _is_owned(self, key: str) -> bool:
        client = self._job_store.client
        fields = client.hmget(job_key(job_of(key)), ["state", "picture"])
        try:
            state, picture = await cast("Awaitable[list[str | None]]", fields)
        except ResponseError:
            # Not a hash: a record that cannot be read owns nothing.
            return False
        # A state that is none is that of a damaged record, which the reaper ends as a failure.
        if state is None or state not in STATES:
            return False
        # What a job in work has stored may become its result; afterwards only what it names, or what is
        # kept for a while, has an owner.
        if not JobState(state).is_end or key == picture:
            return True
        return await client.zscore(ERASE, key) is not None
