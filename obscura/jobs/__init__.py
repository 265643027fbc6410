"""The job ledger: the truth about every job. A Celery message is only a wake-up."""

from obscura.jobs.calls import LedgerCalls
from obscura.jobs.claims import Claimed, Created, Lease
from obscura.jobs.ids import new_id
from obscura.jobs.ledger import AsyncLedger, Ledger
from obscura.jobs.rows import JobRow, JobState, NewJob, wake_up
from obscura.jobs.workers import Heartbeats

__all__ = [
    "AsyncLedger",
    "Claimed",
    "Created",
    "Heartbeats",
    "JobRow",
    "JobState",
    "Lease",
    "Ledger",
    "LedgerCalls",
    "NewJob",
    "new_id",
    "wake_up",
]
