"""What every request passes: a size limit, a request id for the logs, headers that keep browsers careful."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.problems import too_large
from obscura.errors import SlowUploadError

REQUEST_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
MAX_REQUEST_ID = 64
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
log = structlog.get_logger(__name__)


def cors_options(origins: frozenset[str]) -> dict[str, Any]:
    """Return what pages of the ``origins`` that were let in may send and see."""
    return {
        "allow_origins": sorted(origins),
        "allow_methods": ["GET", "POST", "DELETE"],
        "allow_headers": ["Authorization", "X-API-Key", "Idempotency-Key", "If-None-Match", "Range"],
        "expose_headers": ["Content-Disposition", "Content-Range", "ETag", "Retry-After", "X-Request-ID"],
    }


def _request_id(scope: Scope) -> str:
    """Return the caller's X-Request-ID where it is harmless in a log, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    if given and len(given) <= MAX_REQUEST_ID and REQUEST_ID_CHARACTERS.issuperset(given):
        return given
    return secrets.token_hex(8)


Refusal = Callable[[], Response]
"""Makes the answer to a body that is too large."""


@dataclass(frozen=True)
class BodyBounds:
    """What a body may be at most: bytes, seconds in all, and seconds without a byte."""

    max_bytes: int
    timeout_s: float
    idle_s: float


@dataclass(frozen=True)
class Dialect:
    """A dialect's own words for a body that is too large, and its own limit in bytes where it has one."""

    refusal: Refusal
    max_bytes: int | None = None


class BodyLimit:
    """ASGI middleware that reads no more of a body, and for no longer, than is allowed.

    A length that is declared too large is answered before anything is read, by the path's own refusal
    where a dialect has one. A body without a length ends in a 413 at the byte that is too many, a slow one
    in a 408.
    """

    def __init__(self, app: ASGIApp, bounds: BodyBounds, dialects: Mapping[str, Dialect]) -> None:
        self._app = app
        self._bounds = bounds
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        dialect = self._dialects.get(scope["path"], Dialect(too_large))
        bounds = replace(self._bounds, max_bytes=dialect.max_bytes or self._bounds.max_bytes)
        if declared.isdecimal() and int(declared) > bounds.max_bytes:
            await dialect.refusal()(scope, receive, send)
            return
        await self._app(scope, _Body(receive, bounds), send)


class _Body:
    """The messages of one request, within bounds.

    What is raised is a framework's exception: it is the only kind that form parsers let pass.
    """

    def __init__(self, receive: Receive, bounds: BodyBounds) -> None:
        self._receive = receive
        self._left = bounds.max_bytes
        self._idle_s = bounds.idle_s
        self._deadline = asyncio.get_running_loop().time() + bounds.timeout_s
        self._is_arriving = True

    async def __call__(self) -> Message:
        if not self._is_arriving:
            # Waiting for the caller to hang up takes as long as it takes.
            return await self._receive()
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
            raise HTTPException(413)
        return message


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, hsts_s: int = 0) -> None:
        self._app = app
        # Only where an operator says so: it would lock a plain-HTTP installation out of browsers.
        hsts = {"strict-transport-security": f"max-age={hsts_s}"} if hsts_s else {}
        self._headers = SECURITY_HEADERS | hsts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        # Nobody owns a job where no keys are asked for.
        scope.setdefault("state", {}).update(request_id=request_id, owner=None)
        began = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            finally:
                # The route's template, not the path: paths carry task ids.
                template = getattr(scope.get("route"), "path", "-")
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                owner = scope["state"]["owner"]
                log.info(
                    "request",
                    method=scope["method"],
                    route=template,
                    status=status,
                    ms=milliseconds,
                    **({} if owner is None else {"key": owner}),
                )
