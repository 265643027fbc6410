"""How much of the store's memory the records of each owner take, measured anew now and then.

Scripts add what they write at once; what expires by itself, and what is lost by a fault, is seen here.
"""

from collections import Counter
from collections.abc import Awaitable  # noqa: TC003 - quoted in a cast, needed by its reader
from typing import cast

from obscura.jobs.commands import HELD, RECORDS, Call, Reply
from obscura.jobs.store import AsyncJobStore

__all__ = ["StoreUsage"]

KEYS_AT_ONCE = 500
"""Keys that one blocking script looks at: about two milliseconds."""


class StoreUsage:
    """Measures records of jobs, batches and webhooks."""

    def __init__(self, job_store: AsyncJobStore) -> None:
        self._job_store = job_store

    async def round(self) -> None:
        """Set what each owner's records take right; what is written meanwhile is added to it."""
        job_store = self._job_store
        before = await cast("Awaitable[dict[str, str]]", job_store.client.hgetall(HELD))
        found: Counter[str] = Counter()
        for pattern in RECORDS:
            cursor = "0"
            while True:
                cursor, page = await job_store.run(_held(cursor, pattern))
                found.update(page)
                if cursor == "0":
                    break
        for owner in before.keys() | found.keys():
            change = found[owner] - int(before.get(owner, "0"))
            if change:
                await job_store.run(job_store.calls.write(HELD, "HINCRBY", owner, change))


def _held(cursor: str, pattern: str) -> Call[tuple[str, dict[str, int]]]:
    def parse(reply: Reply) -> tuple[str, dict[str, int]]:
        owners, numbers = reply[1::2], reply[2::2]
        return reply[0], {owner: int(number) for owner, number in zip(owners, numbers, strict=True)}

    return Call("held", (), (cursor, pattern, KEYS_AT_ONCE), parse)
