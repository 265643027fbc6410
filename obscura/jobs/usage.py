"""Measure the memory that the records of each owner take in Valkey.

Scripts update the numbers as they write. This periodic measurement corrects them for records that expired by
themselves and for errors.
"""

from collections import Counter
from collections.abc import Awaitable  # noqa: TC003 - quoted in a cast, needed by its reader
from typing import cast

from obscura.jobs.commands import HELD, RECORDS, Call, Reply
from obscura.jobs.store import AsyncJobStore

__all__ = ["StoreUsage"]

KEYS_AT_ONCE = 500
"""Keys per run of the script, which blocks the server for about two milliseconds."""


class StoreUsage:
    """Measures the records of jobs, batches and webhooks by owner."""

    def __init__(self, job_store: AsyncJobStore) -> None:
        self._job_store = job_store

    async def round(self) -> None:
        """Measure all records once and correct the number of each owner; concurrent writes add to it."""
        job_store = self._job_store
        before = await cast("Awaitable[dict[str, str]]", job_store.client.hgetall(HELD))
        found: Counter[str] = Counter()
        for pattern in RECORDS:
            cursor = "0"
            while True:
                cursor, page = await job_store.run(_measured_page(cursor, pattern))
                found.update(page)
                if cursor == "0":
                    break
        for owner in before.keys() | found.keys():
            change = found[owner] - int(before.get(owner, "0"))
            if change:
                await job_store.run(job_store.calls.write(HELD, "HINCRBY", owner, change))


def _measured_page(cursor: str, pattern: str) -> Call[tuple[str, dict[str, int]]]:
    """Return the call that measures one page of keys; its reply is the next cursor and bytes by owner."""

    def parse(reply: Reply) -> tuple[str, dict[str, int]]:
        owners, numbers = reply[1::2], reply[2::2]
        return reply[0], {owner: int(number) for owner, number in zip(owners, numbers, strict=True)}

    return Call("measure_usage", (), (cursor, pattern, KEYS_AT_ONCE), parse)
