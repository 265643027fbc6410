"""The job ledger: the truth about every job. A Celery message is only a wake-up."""

from obscura.jobs.claims import Claimed, Created, Lease
from obscura.jobs.commands import LedgerCalls
from obscura.jobs.heartbeat import Heartbeats
from obscura.jobs.records import JobRow, JobState, NewJob, wake_up
from obscura.jobs.store import AsyncLedger, Ledger
from obscura.jobs.task_ids import new_id

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
