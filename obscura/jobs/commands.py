"""Commands of the job store, each one atomic Lua script.

Nothing here talks to a server: a ``Call`` says what to run and how to read the reply, so that the
blocking ledger of the workers and the asynchronous one of the gateway share every line.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from types import MappingProxyType
from typing import Generic, TypeVar

from obscura.contract import STEP_TASKS, JobKind, OutboxMessage, Priority, Queue, Step
from obscura.errors import IdempotencyConflictError, QueueFullError, ShareExceededError
from obscura.jobs.full_store_writes import WRITE
from obscura.jobs.claims import Claimed, Completed, Created, Lease
from obscura.jobs.record_fields import checked
from obscura.jobs.records import UNREADABLE_TEXT, JobRecord, NewJob
from obscura.observability.catalogue import DURATIONS, bound_text
from obscura.settings import Settings

T = TypeVar("T")
Fields = Mapping[str, str]
Reply = Sequence[str]
NOTHING: Fields = MappingProxyType({})

PREFIX = "obscura:"
ACTIVE = PREFIX + "active"
EXPIRY = PREFIX + "expiry"
ERASE = PREFIX + "erase"
EVENTS = PREFIX + "events"
AUDIT = PREFIX + "audit"
COUNTERS = PREFIX + "counters"
METRICS = PREFIX + "metrics"
HELD = PREFIX + "held"
"""Bytes that the records of each owner take."""

RECORDS = (PREFIX + "job:*", PREFIX + "batch:*", PREFIX + "webhook:*")
EXAMINED = "looked_at"
# First part of a stored object's key, and what the audit log calls such an object.
OBJECT_KINDS: Mapping[str, str] = {"photos": "original", "results": "result"}
# A row outlives its results by far only where no reaper runs at all.
IDEMPOTENCY_TTL_S = 24 * 3600
# More than a job waits and works.
WORK_S = 3600
SHARES: Mapping[str, str] = {
    "queue": "this key has {} unfinished jobs, its share of the queue (OBSCURA_KEY_SHARE); try again later",
    "store": "the records of this key take {} bytes, its share of the store (OBSCURA_KEY_SHARE, "
    "OBSCURA_KEY_STORE_MB); erase results, or try again later",
}
# About what a photo takes.
SHARE_AGAIN_S = 5


def job_of(key: str) -> str:
    """Return the id of the job that a stored object belongs to: ``photos/ID`` or ``results/ID.TOKEN``."""
    return key.rpartition("/")[2].partition(".")[0]


def job_key(job_id: str) -> str:
    """Return the key of a job's row."""
    return f"{PREFIX}job:{job_id}"


def erased_key(job_id: str) -> str:
    """Return the key, without the id in it, that stands for a while where a row was erased on purpose."""
    return f"{PREFIX}erased:{hashlib.sha256(job_id.encode()).hexdigest()[:32]}"


def _idempotency(job: NewJob) -> str:
    """Return the name of an owner's Idempotency-Key: what people write into it is kept nowhere."""
    text = f"{job.owner}\n{job.idempotency_key}"
    return f"{PREFIX}idempotency:{hashlib.sha256(text.encode()).hexdigest()}"


def _script(name: str) -> str:
    folder = resources.files("obscura.jobs").joinpath("scripts")
    parts = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("_prelude", name))
    bounds = ", ".join(f"'{bound_text(bound)}'" for bound in DURATIONS)
    # What was taken in may end, and what is to go may go, where the server's memory is used up as well.
    head = "" if name in TAKING_IN else "#!lua flags=allow-oom\n"
    return f"{head}local BOUNDS = {{{bounds}}}\nlocal UNREADABLE = '{UNREADABLE_TEXT}'\n" + "".join(parts)


TAKING_IN = frozenset({"create", "batch"})
"""Scripts that take in what is new: they are refused where the server's memory is used up."""

SCRIPTS: Mapping[str, str] = {
    name: _script(name)
    for name in (
        *("create", "claim", "renew", "complete", "fail", "reap", "erase", "forget", "due", "census"),
        *("batch", "unbatch", "take", "settle", "enqueue", "hand_out", "fail_unreadable", "held"),
    )
} | {"write": WRITE}


@dataclass(frozen=True)
class Call(Generic[T]):
    """One script, its keys and arguments, and the reading of its reply."""

    script: str
    keys: Sequence[str]
    args: Sequence[str | int | float]
    parse: Callable[[Reply], T]


def share_exceeded(reply: Reply) -> ShareExceededError:
    """Return the error that a reply speaks of: which share, and how much of it is held."""
    return ShareExceededError(SHARES[reply[1]].format(reply[2]), SHARE_AGAIN_S)


def _messages(outbox_messages: Iterable[OutboxMessage]) -> list[str]:
    return [text for outbox_message in outbox_messages for text in (outbox_message.text, outbox_message.step)]


def _queue_of(step: Step) -> str:
    return STEP_TASKS[step].queue.value


@dataclass(frozen=True)
class JobStoreCommands:
    """All calls, with the times and limits of one installation.

    ``owner`` is the key that jobs are entered for; None where no keys are asked for.
    """

    settings: Settings
    owner: str | None = None

    @property
    def remembered_s(self) -> int:
        """Seconds for which it can be said of a task that it was lost: after that it would have expired."""
        return self.settings.result_ttl_s + WORK_S

    def _keys(self, job_id: str) -> tuple[str, ...]:
        return job_key(job_id), ACTIVE, EXPIRY, ERASE

    def _limit(self, job: NewJob) -> tuple[str, int]:
        """Return the name of the limit that ``job`` counts against and its number of unfinished jobs."""
        if job.kind is JobKind.BLUR_VIDEO:
            return "video", self.settings.video_queue_limit
        if job.options.priority is Priority.BULK:
            return "bulk", self.settings.bulk_queue_limit
        return "", self.settings.queue_limit

    def create(self, job: NewJob, outbox_messages: Sequence[OutboxMessage] = ()) -> Call[Created]:
        """Enter ``job`` and push the ``letters`` that wake its workers, both or neither.

        Reading the reply raises QueueFullError, ShareExceededError or IdempotencyConflictError; then nothing
        was pushed.
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
            # It names the job, and goes with it.
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
        """Have released steps wait for their turn; the reply says whether the job was there."""
        keys = (job_key(job_id), *(outbox_message.priority_queue for outbox_message in outbox_messages))
        return Call(
            "enqueue", keys, (job_id, *_messages(outbox_messages)), lambda reply: reply[0] == "enqueued"
        )

    @staticmethod
    def hand_out(queues: Iterable[Queue]) -> Call[None]:
        """Hand waiting steps of ``queues`` to the broker where it has room: a message may have been lost."""
        priority_queues = [queue.priority_queue(priority) for queue in queues for priority in Priority]
        return Call("hand_out", priority_queues, (), lambda _reply: None)

    def fail_unreadable(self, job_id: str) -> Call[bool]:
        """End a job whose record cannot be read as a failure; the reply says whether it was there."""
        args = (job_id, self.settings.result_ttl_s, EVENTS)
        return Call("fail_unreadable", self._keys(job_id), args, lambda reply: reply[0] == "failed_unreadable")

    @staticmethod
    def write(key: str, command: str, *args: str | float) -> Call[str]:
        """Run one small write that is needed where the server's memory is used up as well."""
        return Call("write", (key,), (command, *args), lambda reply: reply[0])

    def claim(self, job_id: str, step: Step, token: str, *, takeover: bool) -> Call[Claimed | None]:
        """Claim ``step``; the reply is None where there is nothing (more) to do.

        ``takeover`` disregards a running lease: for messages that came back because their process died.
        """

        def parse(reply: Reply) -> Claimed | None:
            if reply[0] != "claimed":
                return None
            fields = dict(zip(reply[1::2], reply[2::2], strict=True))
            times = (float(fields.get(f"{outbox_message}:{step}", 0.0)) for outbox_message in "qb")
            return Claimed(JobRecord.from_fields(job_id, fields), step, token, *times)

        settings = self.settings
        limits = (settings.lease_s, settings.max_attempts, int(takeover), settings.result_ttl_s, EVENTS)
        return Call("claim", self._keys(job_id), (job_id, step.value, token, *limits, _queue_of(step)), parse)

    def renew(self, claimed: Claimed, fields: Fields = NOTHING) -> Call[bool]:
        """Make a claim last for another lease and leave ``fields``; the reply says whether it holds.

        Raises RecordUnreadableError as `complete` does.
        """
        pairs = [text for pair in checked(fields).items() for text in pair]
        head = (claimed.record.id, claimed.step.value, claimed.token)
        limits = (self.settings.lease_s, EVENTS)
        keys = self._keys(claimed.record.id)[:2]
        return Call("renew", keys, (*head, *limits, *pairs), lambda reply: reply[0] == "renewed")

    def complete(self, claimed: Claimed, fields: Fields) -> Call[Completed]:
        """End a claimed step and leave ``fields`` in the row.

        Raises
        ------
        RecordUnreadableError
            If they could not be read again, or are longer than a record may be.
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
        """End the whole job with an error; the reply says whether the lease still held."""
        head = (lease.job_id, lease.step.value, lease.token, self.settings.result_ttl_s, EVENTS)
        keys = self._keys(lease.job_id)
        tail = (code, message, _queue_of(lease.step))
        return Call("fail", keys, (*head, *tail), lambda reply: reply[0] == "failed")

    def reap(self, job_id: str) -> Call[tuple[Step, ...]]:
        """Look after a job whose time is up; the reply holds the steps whose message is to be sent again."""

        def parse(reply: Reply) -> tuple[Step, ...]:
            return tuple(Step(name) for name in reply[1:]) if reply[0] == "resend" else ()

        settings = self.settings
        limits = (settings.lease_s, settings.max_attempts, settings.result_ttl_s, EVENTS)
        return Call("reap", self._keys(job_id), (job_id, *limits), parse)

    def erase(self, job_id: str, why: str = "deleted") -> Call[bool]:
        """Forget a job; the reply says whether it was there. ``why`` goes to the audit log."""
        keys = (*self._keys(job_id), erased_key(job_id))
        args = (job_id, EVENTS, why, self.remembered_s)
        return Call("erase", keys, args, lambda reply: reply[0] == "erased")

    def forget(self, key: str, *, was_there: bool, is_orphan: bool = False) -> Call[None]:
        """Note that the stored object ``key`` is gone: erased now, or not there any more."""
        kind = "orphan" if is_orphan else OBJECT_KINDS.get(key.partition("/")[0], "object")
        job_id = job_of(key)
        event = f"{kind}_erased" if was_there else ""
        return Call("forget", self._keys(job_id), (key, event, job_id), lambda _reply: None)

    @staticmethod
    def stats_snapshot(first: int, last: int) -> Call[Mapping[str, float]]:
        """Count unfinished jobs ``first`` to ``last``; the names are those of the script, and `looked_at`."""

        def parse(reply: Reply) -> Mapping[str, float]:
            names, numbers = reply[1::2], reply[2::2]
            counts = {name: float(number) for name, number in zip(names, numbers, strict=True)}
            return {EXAMINED: float(reply[0]), **counts}

        return Call("census", (ACTIVE,), (job_key(""), first, last, *Step), parse)

    @staticmethod
    def due(key: str, limit: int = 500) -> Call[tuple[str, ...]]:
        """Read which members of a sorted set of times are due."""
        return Call("due", (key,), (limit,), tuple)
