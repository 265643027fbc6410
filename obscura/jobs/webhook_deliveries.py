"""Pending webhook deliveries in the job store.

The script that ends a job or a batch adds its event in the same transaction, so none is lost. A gateway takes
due events for the length of a lease; if it dies, another gateway takes them after that.
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
"""Seconds between the probes of a receiver that is switched off: one event is sent to it."""


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver one event.

    ``subject`` is ``task:ID`` or ``batch:ID``; ``message`` is the webhook id, the same in every attempt;
    ``attempt`` counts from 1; ``age_s`` is the age of the event by the server's clock. ``is_off`` says that
    the receiver is switched off: nothing may be sent.
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
        """Whether the event is that of a batch, not of a job."""
        return self.subject.startswith("batch:")


@dataclass(frozen=True)
class NewBatch:
    """A batch to be created; ``entries`` is JSON text, ``webhook`` a URL or empty."""

    id: str
    owner: str
    entries: str
    fingerprint: str
    webhook: str
    ttl_s: int


def subject_key(subject: str) -> str:
    """Return the key of an event's record."""
    return f"{PREFIX}webhook:{subject}"


def batch_key(batch_id: str) -> str:
    """Return the key of a batch record."""
    return f"{PREFIX}batch:{batch_id}"


def enter_batch(batch: NewBatch, settings: Settings) -> Call[None]:
    """Create the record of a batch whose jobs have been created.

    Parsing the reply raises IdempotencyConflictError if another request used the id, and ShareExceededError
    if the owner's records take the owner's share of the store.
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
    """Erase a batch record and its webhook event; with ``is_quiet`` the event only."""
    return Call("unbatch", (batch_key(batch_id),), (batch_id, int(is_quiet)), lambda _reply: None)


@dataclass(frozen=True)
class TakeLimits:
    """Most concurrent deliveries, in all and per owner; lease and lifetime of a taken event in seconds."""

    most: int
    most_of_owner: int
    lease_s: float
    kept_s: int


def take(limits: TakeLimits, under_way: Mapping[str, int]) -> Call[tuple[Delivery, ...]]:
    """Take due events for the length of a lease; each counts one more attempt.

    ``under_way`` is the number of events of each owner that the caller is delivering already.
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
    """Result of a delivery attempt.

    ``state`` is the new state of the event, ``pause_s`` the seconds until its next attempt or None.
    ``receiver`` is ``taken``, ``failed``, or empty if the attempt says nothing about the receiver.
    """

    state: str
    pause_s: float | None = None
    receiver: str = ""


def settle(delivery: Delivery, outcome: Outcome, off_after_s: float, fields: Mapping[str, str]) -> Call[bool]:
    """Record the result of an attempt; the reply is whether it switched the receiver off."""
    pairs = [text for pair in fields.items() for text in pair]
    pause = "" if outcome.pause_s is None else outcome.pause_s
    head = (delivery.subject, delivery.attempt, outcome.state, pause)
    args = (*head, outcome.receiver, off_after_s, RECEIVER_OFF_S, *pairs)
    return Call("settle", (TIMES,), args, lambda reply: reply[0] == "switched_off")
