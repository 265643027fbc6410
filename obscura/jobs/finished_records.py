"""A cache of finished job records, so that results can be answered while the job store is away.

The record of a finished job does not change any more. It leaves the cache when an event says that the job was
erased, and when its lifetime is over.
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
    """The fields of the last ``MOST`` finished records that were read, of a few kilobytes each."""

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._rows: OrderedDict[str, tuple[float, Fields]] = OrderedDict()

    def note(self, job_id: str, fields: Fields) -> None:
        """Cache the fields of a job record if the job has ended; else drop what was cached."""
        self.forget(job_id)
        if "finished" not in fields or fields.get("state") not in ENDS:
            return
        try:
            ttl_s = min(self._ttl_s, float(fields.get("ttl", self._ttl_s)))
            self._rows[job_id] = float(fields["finished"]) + ttl_s, fields
        except ValueError:
            # A damaged record is not cached.
            return
        if len(self._rows) > MOST:
            self._rows.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """Drop the record of a job that was erased."""
        self._rows.pop(job_id, None)

    def get(self, job_id: str) -> Fields | None:
        """Return the cached fields of a job record, None if there are none or their lifetime is over."""
        until, fields = self._rows.get(job_id, (0.0, None))
        return fields if time.time() < until else None
