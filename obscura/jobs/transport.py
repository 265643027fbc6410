"""A kombu Redis transport without acknowledgement emulation.

kombu's transport for Redis and Valkey writes each message that a worker takes into a hash on the server,
waits for the answer before it hands the message on, and strikes it off at the end, so that the message comes
back some minutes after its worker was killed. Here the ledger knows every step that is not done and sends
it again when its lease ends, long before that: docs/decisions/0015.

A message is still put back at once where its worker lives on or ends in order, and it says so: it is
marked as redelivered.
"""

from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

__all__ = ["SCHEME", "Transport"]

SCHEME = "obscura"
"""The name of this transport in the URL of a broker."""
log = structlog.get_logger(__name__)


class _Window(virtual.QoS):
    """The messages that a worker has in work: how many there may be, and which are put back when it ends."""

    def restore_unacked(self) -> list[Any]:
        """Put back what is in work; what a server that is away does not take is left to the ledger.

        kombu would write such messages into a file that nobody reads.
        """
        left = super().restore_unacked()  # type: ignore[no-untyped-call]  # kombu has no type hints
        if left:
            log.warning("messages_left_to_the_ledger", number=len(left))
        return []


class _Channel(redis.Channel):
    """A channel that notes taken messages in the worker only."""

    ack_emulation = False
    # One list for each queue and not four: nothing here has a priority of kombu's.
    priority_steps = [0]  # noqa: RUF012 - kombu's own is a list

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]  # the same
        self.QoS = _Window  # type: ignore[assignment]  # kombu does the same where it emulates nothing

    def _restore(self, message: virtual.Message, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's
        """Put a message back, marked as one that was begun."""
        message.properties["delivery_info"]["redelivered"] = True
        super()._restore(message, leftmost)  # type: ignore[no-untyped-call]  # the same


class Transport(redis.Transport):
    """kombu's transport for Redis and Valkey without its copy of what is in work."""

    Channel = _Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:{Transport.__name__}"
