"""The job store in Valkey: records, leases and counters of jobs.

It is the only source of truth about a job; a Celery message only makes a worker look at a step.
"""

from obscura.jobs.claims import Claimed, Created, Lease
from obscura.jobs.commands import JobStoreCommands
from obscura.jobs.records import JobRecord, JobState, NewJob, step_request
from obscura.jobs.store import AsyncJobStore, JobStore
from obscura.jobs.task_ids import new_id

__all__ = [
    "AsyncJobStore",
    "Claimed",
    "Created",
    "JobRecord",
    "JobState",
    "JobStore",
    "JobStoreCommands",
    "Lease",
    "NewJob",
    "new_id",
    "step_request",
]
