"""Recently read records of finished jobs, for when the job store is away.

A row does not change any more once its job has ended, so that a result can be given while the broker is
away. It goes when the gateway hears that the job was erased, and when its time is up.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping

from obscura.jobs.records import JobState

__all__ = ["FinishedRecords"]

MOST = 500
ENDS = frozenset(state.value for state in JobState if state.is_end)
Fields = Mapping[str, str]


class FinishedRecords:
    """The last ``MOST`` of them; each is a few kilobytes."""

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._rows: OrderedDict[str, tuple[float, Fields]] = OrderedDict()

    def note(self, job_id: str, fields: Fields) -> None:
        """Remember what the ledger said of a job, where that is its end, and forget what was known before."""
        self.forget(job_id)
        if "finished" not in fields or fields.get("state") not in ENDS:
            return
        try:
            ttl_s = min(self._ttl_s, float(fields.get("ttl", self._ttl_s)))
            self._rows[job_id] = float(fields["finished"]) + ttl_s, fields
        except ValueError:
            # Damaged: there is nothing to remember.
            return
        if len(self._rows) > MOST:
            self._rows.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """Forget a job that was erased."""
        self._rows.pop(job_id, None)

    def get(self, job_id: str) -> Fields | None:
        """Return what is known of a job, or None."""
        until, fields = self._rows.get(job_id, (0.0, None))
        return fields if time.time() < until else None
