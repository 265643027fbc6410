"""Pending webhook deliveries in the job store.

The scripts that end a job or a batch enter its event in the same step, so none is lost; a gateway takes what
is due for the length of a lease, and whoever dies with one leaves it to the next.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from obscura.errors import IdempotencyConflictError
from obscura.jobs.commands import PREFIX, Call, Reply

__all__ = [
    "Delivery",
    "NewBatch",
    "batch_key",
    "enter_batch",
    "forget_batch",
    "settle",
    "subject_key",
    "take",
]

TIMES = PREFIX + "webhooks"


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver one event.

    ``subject`` is ``task:ID`` or ``batch:ID``; ``message`` is the same in every attempt; ``attempt`` counts
    from 1; ``age_s`` is how long ago the event happened by the ledger's own clock.
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


def enter_batch(batch: NewBatch) -> Call[None]:
    """Enter a batch; reading the reply raises IdempotencyConflictError where there is another of this id."""

    def parse(reply: Reply) -> None:
        if reply[0] == "conflict":
            message = "this Idempotency-Key was used with other photos or other options"
            raise IdempotencyConflictError(message)

    args = (batch.id, batch.owner, batch.entries, batch.fingerprint, batch.webhook, batch.ttl_s)
    return Call("batch", (batch_key(batch.id),), args, parse)


def forget_batch(batch_id: str, *, is_quiet: bool = False) -> Call[None]:
    """Forget a batch; or, where ``is_quiet``, only that somebody was to be told of it."""
    return Call("unbatch", (batch_key(batch_id),), (batch_id, int(is_quiet)), lambda _reply: None)


def take(limit: int, lease_s: float, kept_s: int) -> Call[tuple[Delivery, ...]]:
    """Take events that are due; each has begun one more attempt and is the caller's for ``lease_s``."""

    def parse(reply: Reply) -> tuple[Delivery, ...]:
        return tuple(_delivery(json.loads(text)) for text in reply)

    return Call("take", (TIMES,), (limit, lease_s, kept_s), parse)


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
    )


def settle(delivery: Delivery, state: str, pause_s: float | None, fields: Mapping[str, str]) -> Call[bool]:
    """Note how an attempt ended and when the next is due; the reply says whether it was still wanted."""
    pairs = [text for pair in fields.items() for text in pair]
    pause = "" if pause_s is None else pause_s
    args = (delivery.subject, delivery.attempt, state, pause, *pairs)
    return Call("settle", (TIMES,), args, lambda reply: reply[0] == "settled")
