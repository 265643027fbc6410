"""What every request passes: a request id for the logs, and headers that keep browsers careful."""

import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        scope.setdefault("state", {})["request_id"] = request_id
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
                log.info(
                    "request", method=scope["method"], route=template, status=status, ms=milliseconds
                )
