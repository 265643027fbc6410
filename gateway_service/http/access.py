"""Access control from the request headers, before any of the body is read.

Where keys are asked for, everything but a few open addresses needs one. Where they are not, only this
machine can reach the gateway - but its browser runs the code of strangers, so requests that a web page of
somebody else's made are refused: by the host they name (a page whose own name was made to point here, DNS
rebinding) and by the origin they come from.
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
# What has to answer before anybody can have a key: health, the description of the API, the page itself.
OPEN = frozenset(
    {"/", "/about", "/livez", "/readyz", "/capabilities", "/docs", "/openapi.json", "/favicon.ico"}
)
OPEN_FOLDERS = ("/docs/", "/web/")
OPERATORS = frozenset({"/metrics"})
ADMINISTRATION = "/admin/"
# The bocashi dialect erases with a GET.
ERASING_GETS = "/delete/"
# Above it, an address block is one caller: a home has a /64 of its own.
IPV6_BLOCK = 64


def is_open(method: str, path: str) -> bool:
    """Whether an address answers without a key."""
    return method in READING and _is_public(path)


def _is_public(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_FOLDERS)


def wanted_scope(method: str, path: str) -> KeyScope:
    """Return what a key must have been made for to call an address."""
    if path.startswith(ADMINISTRATION):
        return KeyScope.ADMIN
    if path in OPERATORS:
        return KeyScope.METRICS
    if method in READING and not path.startswith(ERASING_GETS):
        return KeyScope.READ
    return KeyScope.SUBMIT


@dataclass(frozen=True)
class AccessRules:
    """What one gateway asks of its callers."""

    keys: bool
    host_names: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings, listens_on: str) -> "AccessRules":
        """Return the rules of a gateway that listens on the address ``listens_on``."""
        return cls(requires_keys(settings, listens_on), settings.host_names, settings.cors_origin_names)

    def check_page(self, headers: Headers, method: str, path: str) -> None:
        """Refuse what a foreign web page made a browser send.

        Raises
        ------
        UnknownHostError
            If the request names a host that is not ours.
        ForeignOriginError
            If it comes from a page of another origin.
        """
        if self.keys and not self.host_names:
            # No page holds a key, and none is sent by itself as a cookie would be.
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
        # Pictures, scripts and forms of a page come without an origin when they only read.
        is_elsewhere = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        is_visit = headers.get("sec-fetch-mode") == "navigate" and method in READING
        return is_elsewhere and (not is_visit or path.startswith(ERASING_GETS))


def _is_address(name: str) -> bool:
    """Whether a host is an address: those cannot be made to point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def caller_address(client: Sequence[object] | None) -> str:
    """Return what stands for a caller's address in rate limits."""
    text = str(client[0]) if client else ""
    try:
        address = packet_destination(ipaddress.ip_address(text))
    except ValueError:
        return text or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_BLOCK), strict=False))


def key_text(headers: Headers) -> str | None:
    """Return the key that a request carries, in either header.

    Raises
    ------
    InvalidKeyError
        If it carries two: whose request it is would depend on who reads it.
    """
    texts = [text.strip() for text in headers.getlist("x-api-key")]
    for text in headers.getlist("authorization"):
        kind, _, credentials = text.partition(" ")
        if kind.lower() == "bearer":
            texts.append(credentials.strip())
    # A header without a key, as proxies and clients leave it, is no second key.
    keys = set(filter(None, texts))
    if len(keys) > 1:
        message = "the request carries two different keys"
        raise InvalidKeyError(message)
    return next(iter(keys), "" if texts else None)


class Access:
    """ASGI middleware that lets a request in, or answers it."""

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
        """Raise unless the request may go on; note the owner of what it does."""
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        self._rules.check_page(headers, method, path)
        if _is_public(path) or method not in METHODS:
            # With a method that it does not take it is refused as that, to everybody alike.
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
"""How a request carries a key, as OpenAPI says it."""
