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
"""Hash: name of a chain to its last record. Whoever truncates the audit log must change this as well."""

NEWEST = PREFIX + "audit:newest"
BATCH = 1000


class Auditor:
    """Moves audit records from a stream of the job store into the audit log.

    Scripts add a record in the same transaction as the change it describes, so none is lost. Records are
    deleted from the stream once they are on disk; after a crash in between, `AuditFile` skips those already
    written.
    """

    def __init__(self, job_store: AsyncJobStore, file: AuditFile) -> None:
        self._job_store = job_store
        self._client = job_store.client
        self._file = file

    async def round(self) -> None:
        """Move all waiting records."""
        while entries := await cast("Awaitable[list[Any]]", self._client.xrange(AUDIT, count=BATCH)):
            follows = cast("str | None", await self._client.get(NEWEST)) or ""
            head = await asyncio.to_thread(self._file.append, _records(entries), follows)
            await self._note(head, [name for name, _fields in entries])
            if len(entries) < BATCH:
                return

    async def _note(self, head: Head, names: Sequence[str]) -> None:
        # Separate small writes, because a server whose memory is full accepts only those. The records are
        # deleted last: `AuditFile` skips records that are still here but already on disk.
        write = self._job_store.calls.write
        await self._job_store.run(write(HEADS, "HSET", head.chain, str(head)))
        await self._job_store.run(write(NEWEST, "SET", str(head)))
        await self._client.xdel(AUDIT, *names)


def _records(entries: Sequence[tuple[str, dict[str, str]]]) -> list[Record]:
    """Return records with the id and time of their stream entries, without empty fields."""
    return [
        {"id": name, "at": _time_of(name), **{field: value for field, value in fields.items() if value}}
        for name, fields in entries
    ]


def _time_of(name: str) -> str:
    milliseconds = int(name.partition("-")[0])
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
