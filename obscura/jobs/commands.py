"""Commands of the job store, each one atomic Lua script.

A ``Call`` holds the script, its keys and arguments, and how to parse the reply. Nothing here opens a
connection: the blocking `JobStore` of workers and the `AsyncJobStore` of gateways run the same calls.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from types import MappingProxyType
from typing import Generic, TypeVar

from obscura.contract import STEP_TASKS, JobKind, OutboxMessage, Priority, Queue, Step
from obscura.errors import IdempotencyConflictError, QueueFullError, ShareExceededError
from obscura.jobs.claims import Claimed, Completed, Created, Lease
from obscura.jobs.full_store_writes import WRITE
from obscura.jobs.record_fields import checked
from obscura.jobs.records import UNREADABLE_TEXT, JobRecord, NewJob
from obscura.observability.catalogue import DURATIONS, bound_text
from obscura.settings import Settings

T = TypeVar("T")
Fields = Mapping[str, str]
Reply = Sequence[str]
NO_FIELDS: Fields = MappingProxyType({})

PREFIX = "obscura:"
ACTIVE = PREFIX + "active"
EXPIRY = PREFIX + "expiry"
ERASE = PREFIX + "erase"
EVENTS = PREFIX + "events"
AUDIT = PREFIX + "audit"
COUNTERS = PREFIX + "counters"
METRICS = PREFIX + "metrics"
WORKERS = PREFIX + "workers"
HELD = PREFIX + "held"
"""Hash: owner to the bytes that the owner's records take in Valkey."""

RECORDS = (PREFIX + "job:*", PREFIX + "batch:*", PREFIX + "webhook:*")
EXAMINED = "looked_at"
# First part of a storage key, and the name of such an object in the audit log.
OBJECT_KINDS: Mapping[str, str] = {"photos": "original", "results": "result"}
HEARTBEAT_TTL_S = 20
"""Seconds after which a process that sent no heartbeat counts as gone."""
# Seconds that an Idempotency-Key is kept.
IDEMPOTENCY_TTL_S = 24 * 3600
# Longer than a job waits and runs.
JOB_DURATION_S = 3600
SHARES: Mapping[str, str] = {
    "queue": "this key has {} unfinished jobs, its share of the queue (OBSCURA_KEY_SHARE); try again later",
    "store": "the records of this key take {} bytes, its share of the store (OBSCURA_KEY_SHARE, "
    "OBSCURA_KEY_STORE_MB); erase results, or try again later",
}
# Retry-After of a refused share: about the time of a photo.
SHARE_RETRY_S = 5


def job_of(key: str) -> str:
    """Return the job id in a storage key: ``photos/ID`` or ``results/ID.TOKEN``."""
    return key.rpartition("/")[2].partition(".")[0]


def job_key(job_id: str) -> str:
    """Return the key of a job record."""
    return f"{PREFIX}job:{job_id}"


def erased_key(job_id: str) -> str:
    """Return the key that marks a record as erased on purpose; it contains a hash of the id."""
    return f"{PREFIX}erased:{hashlib.sha256(job_id.encode()).hexdigest()[:32]}"


def _idempotency(job: NewJob) -> str:
    """Return the key for an owner's Idempotency-Key: a hash, since clients may put personal data into it."""
    text = f"{job.owner}\n{job.idempotency_key}"
    return f"{PREFIX}idempotency:{hashlib.sha256(text.encode()).hexdigest()}"


def _script(name: str) -> str:
    folder = resources.files("obscura.jobs").joinpath("scripts")
    parts = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("_prelude", name))
    bounds = ", ".join(f"'{bound_text(bound)}'" for bound in DURATIONS)
    # Accepted jobs must be able to end, and records to be erased, although the server's memory is full.
    head = "" if name in REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"
    constants = (
        f"local BOUNDS = {{{bounds}}}\nlocal UNREADABLE = '{UNREADABLE_TEXT}'\n"
        f"local WORKERS, HEARTBEAT_TTL_S = '{WORKERS}', {HEARTBEAT_TTL_S}\n"
    )
    return head + constants + "".join(parts)


REFUSED_WHEN_FULL = frozenset({"create", "batch"})
"""Scripts that Valkey refuses when its memory is full, because they add new work."""

SCRIPTS: Mapping[str, str] = {
    name: _script(name)
    for name in (
        *("create", "claim", "renew", "complete", "fail", "reap", "erase", "forget", "due", "stats_snapshot"),
        *("batch", "unbatch", "take", "settle", "enqueue", "hand_out", "fail_unreadable", "measure_usage"),
    )
} | {"write": WRITE}


@dataclass(frozen=True)
class Call(Generic[T]):
    """One script call: name of the script, its keys and arguments, and the parser of its reply."""

    script: str
    keys: Sequence[str]
    args: Sequence[str | int | float]
    parse: Callable[[Reply], T]


def share_exceeded(reply: Reply) -> ShareExceededError:
    """Return the error for the reply ``["share", "queue" or "store", amount held]``."""
    return ShareExceededError(SHARES[reply[1]].format(reply[2]), SHARE_RETRY_S)


def _messages(outbox_messages: Iterable[OutboxMessage]) -> list[str]:
    return [item for message in outbox_messages for item in (message.text, message.step)]


def _queue_of(step: Step) -> str:
    return STEP_TASKS[step].queue.value


@dataclass(frozen=True)
class JobStoreCommands:
    """Builds the calls, with the durations and limits of ``settings``.

    ``owner`` is the id of the API key that jobs are created for; None where keys are not required.
    """

    settings: Settings
    owner: str | None = None

    @property
    def remembered_s(self) -> int:
        """Seconds after its creation in which a missing task counts as lost; later it would have expired."""
        return self.settings.result_ttl_s + JOB_DURATION_S

    def _keys(self, job_id: str) -> tuple[str, ...]:
        return job_key(job_id), ACTIVE, EXPIRY, ERASE

    def _limit(self, job: NewJob) -> tuple[str, int]:
        """Return the limit group of ``job`` (``video``, ``bulk`` or empty) and its most unfinished jobs."""
        if job.kind is JobKind.BLUR_VIDEO:
            return "video", self.settings.video_queue_limit
        if job.options.priority is Priority.BULK:
            return "bulk", self.settings.bulk_queue_limit
        return "", self.settings.queue_limit

    def create(self, job: NewJob, outbox_messages: Sequence[OutboxMessage] = ()) -> Call[Created]:
        """Create the record of ``job`` and enqueue its first messages, in one transaction.

        Parsing the reply raises QueueFullError, ShareExceededError or IdempotencyConflictError; then nothing
        was written.
        """

        def parse(reply: Reply) -> Created:
            match reply[0]:
                case "created":
                    return Created(job.id, is_new=True, fingerprint=job.fingerprint)
                case "same":
                    return Created(reply[1], is_new=False, fingerprint=job.fingerprint)
                case "conflict":
                    message = "this Idempotency-Key was used with another photo or other options"
                    raise IdempotencyConflictError(message)
                case "share":
                    raise share_exceeded(reply)
                case _:
                    message = "too many unfinished jobs; try again later"
                    raise QueueFullError(message)

        job = replace(job, owner=self.owner or "")
        pairs = [text for pair in job.fields().items() for text in pair]
        settings = self.settings
        key = _idempotency(job) if job.idempotency_key else ""
        if key:
            # Stored in the record, so that erasing the job frees the key.
            pairs += ["idempotency", key]
        head = (job.id, *self._limit(job), settings.lease_s, job.fingerprint, IDEMPOTENCY_TTL_S, job_key(""))
        shares = (settings.key_share, settings.key_store_mb * 1024 * 1024)
        keys = (
            job_key(job.id),
            ACTIVE,
            key,
            *(outbox_message.priority_queue for outbox_message in outbox_messages),
        )
        return Call("create", keys, (*head, *shares, *_messages(outbox_messages), *pairs), parse)

    @staticmethod
    def enqueue(job_id: str, outbox_messages: Sequence[OutboxMessage]) -> Call[bool]:
        """Add ready steps to the fair queue of their owner; the reply is whether the job is unfinished."""
        keys = (job_key(job_id), *(message.priority_queue for message in outbox_messages))
        args = (job_id, *_messages(outbox_messages))
        return Call("enqueue", keys, args, lambda reply: reply[0] == "enqueued")

    @staticmethod
    def hand_out(queues: Iterable[Queue]) -> Call[None]:
        """Push waiting steps to the broker's lists of ``queues`` that have room; repairs a lost message."""
        priority_queues = [queue.priority_queue(priority) for queue in queues for priority in Priority]
        return Call("hand_out", priority_queues, (), lambda _reply: None)

    def fail_unreadable(self, job_id: str) -> Call[bool]:
        """Fail a job whose record cannot be read, replacing the record; the reply is whether it existed."""
        args = (job_id, self.settings.result_ttl_s, EVENTS)
        return Call(
            "fail_unreadable", self._keys(job_id), args, lambda reply: reply[0] == "failed_unreadable"
        )

    @staticmethod
    def write(key: str, command: str, *args: str | float) -> Call[str]:
        """Run one small write command, although the server's memory may be full."""
        return Call("write", (key,), (command, *args), lambda reply: reply[0])

    def claim(self, job_id: str, step: Step, token: str, *, takeover: bool) -> Call[Claimed | None]:
        """Claim ``step``; the reply is None if the job is gone or ended, or another lease holds.

        ``takeover`` ignores a lease that holds: for messages redelivered because their process died.
        """

        def parse(reply: Reply) -> Claimed | None:
            if reply[0] != "claimed":
                return None
            fields = dict(zip(reply[1::2], reply[2::2], strict=True))
            released, began = (float(fields.get(f"{prefix}:{step}", 0.0)) for prefix in ("q", "b"))
            return Claimed(JobRecord.from_fields(job_id, fields), step, token, released, began)

        settings = self.settings
        limits = (settings.lease_s, settings.max_attempts, int(takeover), settings.result_ttl_s, EVENTS)
        return Call("claim", self._keys(job_id), (job_id, step.value, token, *limits, _queue_of(step)), parse)

    def renew(self, claimed: Claimed, fields: Fields = NO_FIELDS) -> Call[bool]:
        """Extend the lease of a claim and write ``fields``; the reply is whether the lease still held.

        Raises RecordUnreadableError as `complete` does.
        """
        pairs = [text for pair in checked(fields).items() for text in pair]
        head = (claimed.record.id, claimed.step.value, claimed.token)
        limits = (self.settings.lease_s, EVENTS)
        keys = self._keys(claimed.record.id)[:2]
        return Call("renew", keys, (*head, *limits, *pairs), lambda reply: reply[0] == "renewed")

    def complete(self, claimed: Claimed, fields: Fields) -> Call[Completed]:
        """Complete a claimed step and write ``fields`` into the record.

        Raises
        ------
        RecordUnreadableError
            If a field cannot be parsed, or the fields exceed the size limit of a record.
        """

        def parse(reply: Reply) -> Completed:
            match reply[0]:
                case "next":
                    return Completed(accepted=True, next_steps=tuple(Step(name) for name in reply[1:]))
                case "stale":
                    return Completed(accepted=False)
                case outcome:
                    return Completed(accepted=True, finished=outcome == "done")

        settings = self.settings
        pairs = [text for pair in checked(fields).items() for text in pair]
        head = (claimed.record.id, claimed.step.value, claimed.token)
        limits = (settings.lease_s, settings.result_ttl_s, EVENTS, _queue_of(claimed.step))
        return Call("complete", self._keys(claimed.record.id), (*head, *limits, *pairs), parse)

    def fail(self, lease: Lease, code: str, message: str) -> Call[bool]:
        """Fail the whole job; the reply is whether the lease still held."""
        head = (lease.job_id, lease.step.value, lease.token, self.settings.result_ttl_s, EVENTS)
        keys = self._keys(lease.job_id)
        tail = (code, message, _queue_of(lease.step))
        return Call("fail", keys, (*head, *tail), lambda reply: reply[0] == "failed")

    def reap(self, job_id: str) -> Call[tuple[Step, ...]]:
        """Requeue or fail the steps of a job whose lease expired; the reply holds the steps to send again."""

        def parse(reply: Reply) -> tuple[Step, ...]:
            return tuple(Step(name) for name in reply[1:]) if reply[0] == "resend" else ()

        settings = self.settings
        limits = (settings.lease_s, settings.max_attempts, settings.result_ttl_s, EVENTS)
        return Call("reap", self._keys(job_id), (job_id, *limits), parse)

    def erase(self, job_id: str, why: str = "deleted") -> Call[bool]:
        """Erase a job record and schedule its objects for erasure; the reply is whether it existed.

        ``why`` is the event in the audit log.
        """
        keys = (*self._keys(job_id), erased_key(job_id))
        args = (job_id, EVENTS, why, self.remembered_s)
        return Call("erase", keys, args, lambda reply: reply[0] == "erased")

    def forget(self, key: str, *, was_there: bool, is_orphan: bool = False) -> Call[None]:
        """Record that the stored object ``key`` was erased (``was_there``) or had been absent already."""
        kind = "orphan" if is_orphan else OBJECT_KINDS.get(key.partition("/")[0], "object")
        job_id = job_of(key)
        event = f"{kind}_erased" if was_there else ""
        return Call("forget", self._keys(job_id), (key, event, job_id), lambda _reply: None)

    @staticmethod
    def stats_snapshot(first: int, last: int) -> Call[Mapping[str, float]]:
        """Count the unfinished jobs with rank ``first`` to ``last``, by the names in stats_snapshot.lua.

        `EXAMINED` is the number of jobs that were counted.
        """

        def parse(reply: Reply) -> Mapping[str, float]:
            names, numbers = reply[1::2], reply[2::2]
            counts = {name: float(number) for name, number in zip(names, numbers, strict=True)}
            return {EXAMINED: float(reply[0]), **counts}

        return Call("stats_snapshot", (ACTIVE,), (job_key(""), first, last, *Step), parse)

    @staticmethod
    def due(key: str, limit: int = 500) -> Call[tuple[str, ...]]:
        """Return up to ``limit`` members of a sorted set of times that are due."""
        return Call("due", (key,), (limit,), tuple)
