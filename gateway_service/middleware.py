"""What every request passes: a size limit, a request id for the logs, headers that keep browsers careful."""

import secrets
import time
from collections.abc import Callable, Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.problems import too_large

REQUEST_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
MAX_REQUEST_ID = 64
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
log = structlog.get_logger(__name__)


def _request_id(scope: Scope) -> str:
    """Return the caller's X-Request-ID where it is harmless in a log, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    if given and len(given) <= MAX_REQUEST_ID and REQUEST_ID_CHARACTERS.issuperset(given):
        return given
    return secrets.token_hex(8)


Refusal = Callable[[], Response]
"""Makes the answer to a body that is too large."""


class BodyLimit:
    """ASGI middleware that reads no more of a body than is allowed.

    A length that is declared too large is answered before anything is read, by the path's own refusal
    where a dialect has one. A body without a length ends in a 413 at the byte that is too many.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, refusals: Mapping[str, Refusal]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            await self._refusals.get(scope["path"], too_large)()(scope, receive, send)
            return
        left = self._max_bytes

        async def receive_some() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_some, send)


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            finally:
                # The route's template, not the path: paths carry task ids.
                template = getattr(scope.get("route"), "path", "-")
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                log.info("request", method=scope["method"], route=template, status=status, ms=milliseconds)
