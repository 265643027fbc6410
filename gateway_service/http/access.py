"""Access control from the request headers, before any of the body is read.

With API keys, every path except a few public ones requires one. Without, only this machine can reach the
gateway, but web pages in its browser can send requests as well. These are refused by the Host header (DNS
rebinding: a page whose name resolves to this machine) and by their origin.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway_service.http.dependencies import Gateway
from gateway_service.http.problems import METHODS, answer_to
from obscura.access import ApiKey, requires_keys
from obscura.access import Scope as KeyScope
from obscura.access.addresses import packet_destination
from obscura.errors import (
    ForeignOriginError,
    InvalidKeyError,
    KeyRequiredError,
    MissingScopeError,
    ObscuraError,
    UnknownHostError,
)
from obscura.settings import Settings

__all__ = ["Access", "AccessRules", "is_open", "wanted_scope"]

READING = frozenset({"GET", "HEAD"})
# Paths that work without a key: health, the API description, the web page.
OPEN = frozenset(
    {"/", "/about", "/livez", "/readyz", "/capabilities", "/docs", "/openapi.json", "/favicon.ico"}
)
OPEN_FOLDERS = ("/docs/", "/web/")
OPERATORS = frozenset({"/metrics"})
ADMINISTRATION = "/admin/"
# The bocashi API erases with a GET.
ERASING_GETS = "/delete/"
# IPv6 callers are counted by their /64 network, which a household shares.
IPV6_BLOCK = 64


def is_open(method: str, path: str) -> bool:
    """Whether a path works without a key."""
    return method in READING and _is_public(path)


def _is_public(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_FOLDERS)


def wanted_scope(method: str, path: str) -> KeyScope:
    """Return the scope that a key needs for a request."""
    if path.startswith(ADMINISTRATION):
        return KeyScope.ADMIN
    if path in OPERATORS:
        return KeyScope.METRICS
    if method in READING and not path.startswith(ERASING_GETS):
        return KeyScope.READ
    return KeyScope.SUBMIT


@dataclass(frozen=True)
class AccessRules:
    """Access rules of one gateway."""

    keys: bool
    host_names: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings, listens_on: str) -> "AccessRules":
        """Return the rules of a gateway that listens on ``listens_on``."""
        return cls(requires_keys(settings, listens_on), settings.host_names, settings.cors_origin_names)

    def check_page(self, headers: Headers, method: str, path: str) -> None:
        """Refuse requests of foreign web pages.

        Raises
        ------
        UnknownHostError
            If the Host header is not a name of this gateway.
        ForeignOriginError
            If it comes from a page of another origin.
        """
        if self.keys and not self.host_names:
            # Browsers do not add keys by themselves, unlike cookies.
            return
        if not all(self._is_ours(host) for host in headers.getlist("host")):
            message = "this server does not answer for that host name (OBSCURA_ALLOWED_HOSTS)"
            raise UnknownHostError(message)
        if not self.keys and self._is_foreign(headers, method, path):
            message = "this server does not answer to pages of other origins (OBSCURA_CORS_ORIGINS)"
            raise ForeignOriginError(message)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name == "localhost" or name in self.host_names or _is_address(name)

    def _is_foreign(self, headers: Headers, method: str, path: str) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            is_own = urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
            return not (is_own or "*" in self.origins or origin.lower() in self.origins)
        # Images, scripts and GET forms of a page have no Origin header.
        is_elsewhere = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        is_visit = headers.get("sec-fetch-mode") == "navigate" and method in READING
        return is_elsewhere and (not is_visit or path.startswith(ERASING_GETS))


def _is_address(name: str) -> bool:
    """Whether a host is an IP address, to which DNS rebinding does not apply."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def caller_address(client: Sequence[object] | None) -> str:
    """Return the key of a caller's address in rate limits."""
    text = str(client[0]) if client else ""
    try:
        address = packet_destination(ipaddress.ip_address(text))
    except ValueError:
        return text or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_BLOCK), strict=False))


def key_text(headers: Headers) -> str | None:
    """Return the API key of a request from either header; None where there is none.

    Raises
    ------
    InvalidKeyError
        If it has two different keys, so that its owner would be ambiguous.
    """
    texts = [text.strip() for text in headers.getlist("x-api-key")]
    for text in headers.getlist("authorization"):
        kind, _, credentials = text.partition(" ")
        if kind.lower() == "bearer":
            texts.append(credentials.strip())
    # An empty header, as some proxies and clients send it, does not count.
    keys = set(filter(None, texts))
    if len(keys) > 1:
        message = "the request carries two different keys"
        raise InvalidKeyError(message)
    return next(iter(keys), "" if texts else None)


class Access:
    """ASGI middleware that checks access and answers refused requests."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._admit(scope)
        except ObscuraError as error:
            await answer_to(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        """Raise unless the request is allowed; store its owner in the request state."""
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        self._rules.check_page(headers, method, path)
        if _is_public(path) or method not in METHODS:
            # Unknown methods are refused later with 405.
            return
        gateway = cast("Gateway", scope["app"].state.gateway)
        wanted = wanted_scope(method, path)
        reads = wanted in {KeyScope.READ, KeyScope.METRICS}
        is_counted = await gateway.rates.hit_address(caller_address(scope.get("client")), reads=reads)
        if not self._rules.keys:
            return
        key = await self._key(gateway, headers, reads=reads)
        if is_counted or not reads:
            await gateway.rates.hit_key(key.id, reads=reads)
        if not key.allows(wanted):
            message = f"this API key was not made for this: it needs the scope {wanted}"
            raise MissingScopeError(message)
        state: dict[str, object] = scope["state"]
        state.update(owner=key.id, may_read=key.allows(KeyScope.READ))

    @staticmethod
    async def _key(gateway: Gateway, headers: Headers, *, reads: bool) -> ApiKey:
        text = key_text(headers)
        if text is None:
            message = "this server asks for an API key: Authorization: Bearer KEY, or X-API-Key: KEY"
            raise KeyRequiredError(message)
        return await gateway.keys.find(text, reads=reads)


SECURITY_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key of `obscura keys create`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key"},
}
"""OpenAPI security schemes."""
