"""Write the job store's event stream to the audit log."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from obscura.audit import AuditFile, Head, Record
from obscura.jobs.commands import AUDIT, PREFIX
from obscura.jobs.store import AsyncJobStore

__all__ = ["HEADS", "Auditor"]

HEADS = PREFIX + "audit:heads"
"""The last record of every chain, by the chain's name: who shortens the file has to change this as well."""

NEWEST = PREFIX + "audit:newest"
BATCH = 1000


class Auditor:
    """Moves records into the audit log.

    The ledger's scripts leave them in the same step as the change that they speak of, so none is lost. They
    are taken away when they are on the disk; a crash in between leads to no second line (`AuditFile`).
    """

    def __init__(self, job_store: AsyncJobStore, file: AuditFile) -> None:
        self._job_store = job_store
        self._client = job_store.client
        self._file = file

    async def round(self) -> None:
        """Move all records that wait."""
        while entries := await cast("Awaitable[list[Any]]", self._client.xrange(AUDIT, count=BATCH)):
            follows = cast("str | None", await self._client.get(NEWEST)) or ""
            head = await asyncio.to_thread(self._file.append, _records(entries), follows)
            await self._note(head, [name for name, _fields in entries])
            if len(entries) < BATCH:
                return

    async def _note(self, head: Head, names: Sequence[str]) -> None:
        # One by one, since a full server takes these small writes alone: records would pile up. In this
        # order: records that are on the disk and still here are not written twice (`AuditFile`).
        write = self._job_store.calls.write
        await self._job_store.run(write(HEADS, "HSET", head.chain, str(head)))
        await self._job_store.run(write(NEWEST, "SET", str(head)))
        await self._client.xdel(AUDIT, *names)


def _records(entries: Sequence[tuple[str, dict[str, str]]]) -> list[Record]:
    """Return records with the ledger's id and time; fields that say nothing are left out."""
    return [
        {"id": name, "at": _time_of(name), **{field: value for field, value in fields.items() if value}}
        for name, fields in entries
    ]


def _time_of(name: str) -> str:
    milliseconds = int(name.partition("-")[0])
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
