"""ASGI middleware: limits of body size and time, CORS."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.http.problems import answer_to, too_large
from obscura.errors import SlowUploadError


def cors_options(origins: frozenset[str]) -> dict[str, Any]:
    """Return the CORS options for pages of ``origins``."""
    return {
        "allow_origins": sorted(origins),
        "allow_methods": ["GET", "POST", "DELETE"],
        "allow_headers": ["Authorization", "X-API-Key", "Idempotency-Key", "If-None-Match", "Range"],
        "expose_headers": ["Content-Disposition", "Content-Range", "ETag", "Retry-After", "X-Request-ID"],
    }


PIECE_BYTES = 256 * 1024
"""Body messages are joined up to this size."""

Refusal = Callable[[], Response]
"""Returns the answer to a body that is too large."""


@dataclass(frozen=True)
class BodyBounds:
    """Limits of a body: bytes, seconds in all, and seconds without a byte."""

    max_bytes: int
    timeout_s: float
    idle_s: float


@dataclass(frozen=True)
class CompatibilityApi:
    """A path's own answer to a body that is too large, and its own limits where it has them."""

    refusal: Refusal | None = None
    max_bytes: int | None = None
    timeout_s: float | None = None


class BodyLimit:
    """ASGI middleware that limits size and duration of request bodies.

    A declared length that is too large is refused before anything is read, with the answer of the path's own
    API. A body without a declared length gets a 413 at the first byte beyond the limit, a slow one a 408.
    """

    def __init__(self, app: ASGIApp, bounds: BodyBounds, apis: Mapping[str, CompatibilityApi]) -> None:
        self._app = app
        self._bounds = bounds
        self._compatibility_apis = apis

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        api = self._compatibility_apis.get(scope["path"], CompatibilityApi())
        bounds = replace(
            self._bounds,
            max_bytes=api.max_bytes or self._bounds.max_bytes,
            timeout_s=api.timeout_s or self._bounds.timeout_s,
        )
        if declared.isdecimal() and int(declared) > bounds.max_bytes:
            refusal = api.refusal
            answer = answer_to(too_large(int(declared), bounds.max_bytes)) if refusal is None else refusal()
            await answer(scope, receive, send)
            return
        await self._app(scope, _Body(receive, bounds), send)


class _Body:
    """The messages of one request body, limited in size and time.

    Raises starlette's HTTPException, because form parsers translate all other exceptions.
    """

    def __init__(self, receive: Receive, bounds: BodyBounds) -> None:
        self._receive = receive
        self._left = self._max_bytes = bounds.max_bytes
        self._idle_s = bounds.idle_s
        self._deadline = asyncio.get_running_loop().time() + bounds.timeout_s
        self._is_arriving = True

    async def __call__(self) -> Message:
        if not self._is_arriving:
            # After the body only the disconnect message follows, which has no time limit.
            return await self._receive()
        message = await self._piece()
        pieces = [message.get("body", b"")]
        length = len(pieces[0])
        # Joined, because each message costs a call of the form parser, and a thread once the upload is
        # spooled.
        while self._is_arriving and length < PIECE_BYTES:
            message = await self._piece()
            pieces.append(message.get("body", b""))
            length += len(pieces[-1])
        return message if len(pieces) == 1 else {**message, "body": b"".join(pieces)}

    async def _piece(self) -> Message:
        until = min(asyncio.get_running_loop().time() + self._idle_s, self._deadline)
        try:
            async with asyncio.timeout_at(until):
                message = await self._receive()
        except TimeoutError as error:
            slow = SlowUploadError("the body of the request did not arrive in time")
            slow.__cause__ = error
            raise HTTPException(408, headers={"connection": "close"}) from slow
        self._is_arriving = message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413) from too_large(None, self._max_bytes)
        return message
