"""Pending webhook deliveries in the job store.

The scripts that end a job or a batch enter its event in the same step, so none is lost; a gateway takes what
is due for the length of a lease, and whoever dies with one leaves it to the next.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from obscura.errors import IdempotencyConflictError
from obscura.jobs.commands import PREFIX, Call, Reply, share_exceeded
from obscura.settings import Settings

__all__ = [
    "Delivery",
    "NewBatch",
    "Outcome",
    "TakeLimits",
    "batch_key",
    "enter_batch",
    "forget_batch",
    "settle",
    "subject_key",
    "take",
]

TIMES = PREFIX + "webhooks"
RECEIVER_OFF_S = 24 * 3600
"""Seconds after which a receiver that is switched off gets one event, to see whether it answers again."""


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver one event.

    ``subject`` is ``task:ID`` or ``batch:ID``; ``message`` is the same in every attempt; ``attempt`` counts
    from 1; ``age_s`` is how long ago the event happened by the ledger's own clock. Where ``is_off`` the
    receiver was switched off: nothing is to be sent.
    """

    subject: str
    message: str
    url: str
    attempt: int
    created: float
    age_s: float
    status: str
    code: str
    payload: str
    owner: str = ""
    is_off: bool = False

    @property
    def subject_id(self) -> str:
        """The id of the job or batch."""
        return self.subject.partition(":")[2]

    @property
    def is_batch(self) -> bool:
        """Whether it tells of a batch and not of a job."""
        return self.subject.startswith("batch:")


@dataclass(frozen=True)
class NewBatch:
    """A batch about to be entered."""

    id: str
    owner: str
    entries: str
    fingerprint: str
    webhook: str
    ttl_s: int


def subject_key(subject: str) -> str:
    """Return the key of an event's row."""
    return f"{PREFIX}webhook:{subject}"


def batch_key(batch_id: str) -> str:
    """Return the key of a batch's row."""
    return f"{PREFIX}batch:{batch_id}"


def enter_batch(batch: NewBatch, settings: Settings) -> Call[None]:
    """Enter a batch.

    Reading the reply raises IdempotencyConflictError where there is another of this id, and
    ShareExceededError where the owner holds its share of the store.
    """

    def parse(reply: Reply) -> None:
        if reply[0] == "share":
            raise share_exceeded(reply)
        if reply[0] == "conflict":
            message = "this Idempotency-Key was used with other photos or other options"
            raise IdempotencyConflictError(message)

    shares = (settings.key_share, settings.key_store_mb * 1024 * 1024)
    args = (batch.id, batch.owner, batch.entries, batch.fingerprint, batch.webhook, batch.ttl_s, *shares)
    return Call("batch", (batch_key(batch.id),), args, parse)


def forget_batch(batch_id: str, *, is_quiet: bool = False) -> Call[None]:
    """Forget a batch; or, where ``is_quiet``, only that somebody was to be told of it."""
    return Call("unbatch", (batch_key(batch_id),), (batch_id, int(is_quiet)), lambda _reply: None)


@dataclass(frozen=True)
class TakeLimits:
    """How many events may be under way at once: in all and for each owner; how long a taken one is kept."""

    most: int
    most_of_owner: int
    lease_s: float
    kept_s: int


def take(limits: TakeLimits, under_way: Mapping[str, int]) -> Call[tuple[Delivery, ...]]:
    """Take events that are due; each has begun one more attempt and is the caller's for a lease.

    ``under_way`` says how many events of each owner the caller has in hand.
    """

    def parse(reply: Reply) -> tuple[Delivery, ...]:
        return tuple(_delivery(json.loads(text)) for text in reply)

    room = limits.most - sum(under_way.values())
    busy = [item for pair in under_way.items() for item in pair]
    args = (room, limits.most_of_owner, limits.lease_s, limits.kept_s, RECEIVER_OFF_S, *busy)
    return Call("take", (TIMES,), args, parse)


def _delivery(record: Mapping[str, str]) -> Delivery:
    return Delivery(
        subject=record["subject"],
        message=record["message"],
        url=record["url"],
        attempt=int(record["attempts"]),
        created=float(record["created"]),
        age_s=float(record["now"]) - float(record["created"]),
        status=record.get("status", ""),
        code=record.get("code", ""),
        payload=record.get("payload", ""),
        owner=record["owner"],
        is_off="off" in record,
    )


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    ``state`` is that of the event, ``pause_s`` the time to its next attempt or None; ``receiver`` is
    ``taken`` or ``failed``, or empty where the attempt says nothing of its receiver.
    """

    state: str
    pause_s: float | None = None
    receiver: str = ""


def settle(delivery: Delivery, outcome: Outcome, off_after_s: float, fields: Mapping[str, str]) -> Call[bool]:
    """Note how an attempt ended; the reply says whether its receiver was switched off by it."""
    pairs = [text for pair in fields.items() for text in pair]
    pause = "" if outcome.pause_s is None else outcome.pause_s
    head = (delivery.subject, delivery.attempt, outcome.state, pause)
    args = (*head, outcome.receiver, off_after_s, RECEIVER_OFF_S, *pairs)
    return Call("settle", (TIMES,), args, lambda reply: reply[0] == "switched_off")
