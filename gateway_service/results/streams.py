"""Server-sent events: each change until the end.

The format is that of the HTML standard, section 9.2 (text/event-stream).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway_service.http.dependencies import Gateway
from gateway_service.http.problems import answer_to
from gateway_service.results.events import POLL_S
from gateway_service.results.shared_watch import SharedWatch, Subject
from obscura.errors import InvalidKeyError, ObscuraError

__all__ = ["EventStream"]

# Proxies close a connection that is idle for about a minute.
KEEP_ALIVE_S = 15.0
# Longest duration of a stream; the browser's EventSource reconnects.
LONGEST_S = 900.0
# Added for a client that does not read, after which the stream is cut off.
SPARE_S = 60.0
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventStream(StreamingResponse):
    """Sends the state of ``subject``, now and after each change.

    An error ends the stream, and so does the end of the key that opened it. The state is read before anything
    is sent, so an unknown subject or one stream too many gets an ordinary error answer.
    """

    def __init__(self, gateway: Gateway, subject: Subject) -> None:
        self._gateway = gateway
        self._subject = subject
        super().__init__(self._frames(), media_type="text/event-stream", headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        gateway = self._gateway
        limit = gateway.settings.max_streams
        with (
            gateway.watches.stream_of(gateway.job_store.calls.owner, limit),
            gateway.watches.follow(gateway.events, self._subject) as watch,
        ):
            await watch.first()
            self._watch: SharedWatch = watch
            # A client that does not read is cut off.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_S + SPARE_S):
                    await super().__call__(scope, receive, send)

    async def _frames(self) -> AsyncIterator[bytes]:
        gateway, watch, loop = self._gateway, self._watch, asyncio.get_running_loop()
        deadline, sent_version, sent_at = loop.time() + LONGEST_S, 0, loop.time()
        while loop.time() < deadline:
            if watch.error is not None:
                yield _error(watch.error)
                return
            if watch.version > sent_version:
                sent_version, sent_at = watch.version, loop.time()
                yield _frame("end" if watch.is_over else "progress", watch.text)
                if watch.is_over:
                    return
            elif loop.time() - sent_at > KEEP_ALIVE_S:
                sent_at = loop.time()
                yield b": nothing new\n\n"
            await watch.after(sent_version, POLL_S)
            if not await gateway.watches.is_valid(gateway.keys, gateway.job_store.calls.owner):
                yield _error(InvalidKeyError("this API key is not valid any more"))
                return


def _frame(name: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _error(error: ObscuraError) -> bytes:
    return _frame("error", bytes(answer_to(error).body))
