"""A kombu Redis transport without acknowledgement emulation.

kombu's transport for Redis and Valkey copies each message that a worker takes into a hash on the server and
deletes it on acknowledgement, so that the message returns some minutes after its worker was killed. The job
store knows every unfinished step and sends it again when its lease expires, which is earlier, so the copies
are not needed: docs/decisions/0015.

A worker that rejects a message or shuts down in order still puts it back at once, marked as redelivered.
"""

from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

__all__ = ["SCHEME", "Transport"]

SCHEME = "obscura"
"""The name of this transport in the URL of a broker."""
log = structlog.get_logger(__name__)


class _PrefetchWindow(virtual.QoS):
    """kombu's prefetch window: the unacknowledged messages of a worker."""

    def restore_unacked(self) -> list[Any]:
        """Put unacknowledged messages back. If the server is away, leave them to the lease reaper.

        kombu would write such messages into a file that nothing reads.
        """
        left = super().restore_unacked()  # type: ignore[no-untyped-call]  # kombu has no type hints
        if left:
            log.warning("messages_left_to_lease_reaper", number=len(left))
        return []


class _Channel(redis.Channel):
    """A kombu Redis channel that keeps unacknowledged messages in the worker's memory only."""

    ack_emulation = False
    # One list per queue instead of four: priorities are separate queues here.
    priority_steps = [0]  # noqa: RUF012 - kombu's own is a list

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]  # the same
        self.QoS = _PrefetchWindow  # type: ignore[assignment]  # kombu does the same where it emulates nothing

    def _restore(self, message: virtual.Message, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's
        """Put a message back, marked as redelivered."""
        message.properties["delivery_info"]["redelivered"] = True
        super()._restore(message, leftmost)  # type: ignore[no-untyped-call]  # the same


class Transport(redis.Transport):
    """kombu's transport for Redis and Valkey without copies of unacknowledged messages on the server."""

    Channel = _Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:{Transport.__name__}"
