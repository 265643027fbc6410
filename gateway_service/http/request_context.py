"""The outermost middleware: order, request id, access log, metrics and trace of every request."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.http.access import OPERATORS, caller_address, is_open
from gateway_service.http.fair_slots import RequestTurns
from gateway_service.http.problems import METHODS, crashed
from obscura.observability import Meter, Role, Span, StageTimer, Tracer, catalogue, timing_with, trace_ids

__all__ = ["RequestContext", "Telemetry"]

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
NO_STATUS = "none"
NO_ROUTE = "-"
STREAMS = "/events"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Telemetry:
    """A gateway's meter and tracer; without a tracer there are no traces."""

    meter: Meter
    tracer: Tracer | None = None

    def begin(self, scope: Scope) -> Span | None:
        """Start the span of a request; health checks, scrapers and static files get none."""
        method, path = scope["method"], scope["path"]
        if self.tracer is None or is_open(method, path) or path in OPERATORS:
            return None
        # The caller may have a trace that this span belongs to.
        parent = Headers(scope=scope).get("traceparent")
        return self.tracer.begin(method, parent, role=Role.SERVER)


class _Exchange:
    """Observes one request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.perf_counter()
        self._headers: Mapping[str, str] = {}
        self._arrived_s: float | None = None
        self._bytes = 0
        self.status = 0

    def answer_with(self, headers: Mapping[str, str], request_id: str) -> None:
        """Set the headers that are added to the response."""
        self._headers = {"x-request-id": request_id, **headers}

    async def receive(self) -> Message:
        """Receive a message and count its body."""
        message = await self._receive()
        if message["type"] == "http.request" and self._arrived_s is None:
            self._bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._arrived_s = self.seconds
        return message

    async def send(self, message: Message) -> None:
        """Send a message, with the added headers at the start."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)

    @property
    def seconds(self) -> float:
        """Seconds since the request began."""
        return time.perf_counter() - self._began

    @property
    def route(self) -> str:
        """The route's path template; the path itself would contain task ids."""
        return str(getattr(self._scope.get("route"), "path", NO_ROUTE))

    def count(self, meter: Meter) -> None:
        """Update the HTTP metrics."""
        method, route = self._scope["method"], self.route
        method = method if method in METHODS else "other"
        status = str(self.status) if self.status else NO_STATUS
        meter.count(catalogue.HTTP_REQUESTS, route, method, status)
        meter.observe(catalogue.HTTP_DURATION, self.seconds, route, method)
        if self._arrived_s is not None and self._bytes:
            meter.observe(catalogue.UPLOAD_BYTES, self._bytes, route)
            meter.observe(catalogue.UPLOAD_DURATION, self._arrived_s, route)


class RequestContext:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, hsts_s: int = 0) -> None:
        self._app = app
        self._telemetry = telemetry
        # Opt-in, because browsers could not use an installation without TLS.
        hsts = {"strict-transport-security": f"max-age={hsts_s}"} if hsts_s else {}
        self._headers = SECURITY_HEADERS | hsts
        self._turns = RequestTurns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._turns.begin(_caller(scope))
        request_id = _request_id(scope)
        # Without API keys jobs have no owner.
        scope.setdefault("state", {}).update(request_id=request_id, owner=None, may_read=True)
        exchange = _Exchange(scope, receive, send)
        exchange.answer_with(self._headers, request_id)
        span = self._telemetry.begin(scope)
        watch = StageTimer(self._telemetry.meter, self._telemetry.tracer, span)
        ids = {"request_id": request_id, **trace_ids("" if span is None else span.traceparent)}
        with structlog.contextvars.bound_contextvars(**ids), timing_with(watch):
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except Exception:
                # Not in a FastAPI handler, which would run outside of this context, without the request id.
                log.exception("request_crashed")
                if exchange.status:
                    # The response has begun: the exception closes the connection.
                    raise
                await crashed()(scope, receive, exchange.send)
            finally:
                watch.close()
                self._report(scope, exchange, span)

    def _report(self, scope: Scope, exchange: _Exchange, span: Span | None) -> None:
        """Write the log line, metrics and span of a request."""
        exchange.count(self._telemetry.meter)
        method, route, owner = scope["method"], exchange.route, scope["state"]["owner"]
        log.info(
            "request",
            method=method,
            route=route,
            status=exchange.status,
            ms=round(exchange.seconds * 1000, 1),
            **({} if owner is None else {"key": owner}),
        )
        if span is not None:
            attributes = {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": exchange.status,
                "obscura.request_id": scope["state"]["request_id"],
            }
            failed = exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            span.end(attributes, name=f"{method} {route}", error="answered with an error" if failed else "")


def _caller(scope: Scope) -> str:
    """Return the fairness group of a request: its key or address, apart for event streams."""
    headers = Headers(scope=scope)
    key = headers.get("authorization") or headers.get("x-api-key") or caller_address(scope.get("client"))
    return f"{scope['path'].endswith(STREAMS)} {key}"


def _request_id(scope: Scope) -> str:
    """Return the caller's X-Request-ID where it has safe characters only, otherwise a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    if given and len(given) <= MAX_REQUEST_ID and REQUEST_ID_CHARACTERS.issuperset(given):
        return given
    return secrets.token_hex(8)
