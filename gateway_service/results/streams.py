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
from gateway_service.results.events import LOOK_AGAIN_S
from gateway_service.results.shared_watch import SharedWatch, Subject
from obscura.errors import InvalidKeyError, ObscuraError

__all__ = ["EventStream"]

# Proxies end a connection on which nothing comes for a minute or so.
KEEP_ALIVE_S = 15.0
# A stream is no place to live: the browser's EventSource comes back by itself.
LONGEST_S = 900.0
# Beyond that, for what a reader that does not read holds up.
SPARE_S = 60.0
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventStream(StreamingResponse):
    """Sends where ``subject`` stands, now and whenever that has changed.

    An error ends it, and so does the end of the key that it was opened with. The first look is had before
    anything is sent: what is not there, or one stream too many, is a plain error answer.
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
            # Whoever does not read what is sent is cut off.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_S + SPARE_S):
                    await super().__call__(scope, receive, send)

    async def _frames(self) -> AsyncIterator[bytes]:
        gateway, watch, loop = self._gateway, self._watch, asyncio.get_running_loop()
        deadline, said, said_at = loop.time() + LONGEST_S, 0, loop.time()
        while loop.time() < deadline:
            if watch.error is not None:
                yield _error(watch.error)
                return
            if watch.version > said:
                said, said_at = watch.version, loop.time()
                yield _frame("end" if watch.is_over else "progress", watch.text)
                if watch.is_over:
                    return
            elif loop.time() - said_at > KEEP_ALIVE_S:
                said_at = loop.time()
                yield b": nothing new\n\n"
            await watch.after(said, LOOK_AGAIN_S)
            if not await gateway.watches.is_valid(gateway.keys, gateway.job_store.calls.owner):
                yield _error(InvalidKeyError("this API key is not valid any more"))
                return


def _frame(name: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _error(error: ObscuraError) -> bytes:
    return _frame("error", bytes(answer_to(error).body))
