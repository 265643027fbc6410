"""The egress allow-list for requests to URLs that a caller named.

A host name is resolved once, its addresses are checked, and the connection goes to the checked address, so
that the name cannot resolve to another one between check and request (DNS rebinding).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx

from obscura.access.addresses import Address, is_public, packet_destination
from obscura.errors import InvalidOptionError, ServiceError

__all__ = ["Hosts", "NotReachedError", "pinned"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
PORTS: Mapping[str, int] = {"http": 80, "https": 443}


class NotReachedError(ServiceError):
    """The host of a URL is not allowed, or has no address."""

    code = "not_reached"


@dataclass(frozen=True)
class Hosts:
    """Allowed origins (``https://host:443``), and private networks that their addresses may be in."""

    origins: frozenset[str]
    networks: Sequence[Network]

    @classmethod
    def parse(cls, text: str, setting: str, schemes: Sequence[str] = ("http", "https")) -> "Hosts":
        """Parse a comma-separated setting.

        An entry is ``host``, ``host:port``, an origin with its scheme, or a network (``10.0.0.0/8``); without
        a scheme it stands for each of ``schemes``.

        Raises
        ------
        InvalidOptionError
            If an entry is none of these.
        """
        origins: set[str] = set()
        networks: list[Network] = []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                if "/" in entry and "://" not in entry:
                    networks.append(ipaddress.ip_network(entry, strict=False))
                else:
                    origins.update(_origins(entry, schemes))
            except (ValueError, httpx.InvalidURL) as error:
                message = f"{setting}: {entry!r} is neither a host nor a network"
                raise InvalidOptionError(message) from error
        return cls(frozenset(origins), tuple(networks))

    def check(self, url: httpx.URL) -> None:
        """Raise NotReachedError unless the URL names a listed host."""
        if url.scheme not in PORTS or url.userinfo or not url.host:
            message = "not a plain http or https URL"
            raise NotReachedError(message)
        if _origin(url) not in self.origins:
            message = "the host is not on the list"
            raise NotReachedError(message)

    def allows(self, address: Address, host: str) -> bool:
        """Whether a listed host may be connected to at ``address``.

        An IPv6 address that embeds an IPv4 address (NAT64, 6to4) is checked as that one.
        """
        place = packet_destination(address)
        if any(place in network for network in self.networks):
            return True
        # A private address that is itself listed as a host is allowed.
        return str(address) == host or is_public(address)


def _origins(entry: str, schemes: Sequence[str]) -> list[str]:
    urls = [entry] if "://" in entry else [f"{scheme}://{entry}" for scheme in schemes]
    origins = []
    for url in map(httpx.URL, urls):
        if url.scheme not in PORTS or not url.host or url.userinfo or url.raw_path != b"/":
            raise ValueError(entry)
        origins.append(_origin(url))
    return origins


def _port(url: httpx.URL) -> int:
    return url.port or PORTS[url.scheme]


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.host.lower()}:{_port(url)}"


async def pinned(url: httpx.URL, hosts: Hosts) -> dict[str, Any]:
    """Return the arguments of an httpx request to ``url`` at an address that ``hosts`` allows.

    The Host header and the TLS server name are still those of ``url``.

    Raises
    ------
    NotReachedError
        If the host is not listed, has no address, or has a private address that is not listed.
    """
    hosts.check(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, _port(url), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = "the host has no address"
        raise NotReachedError(message) from error
    addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in found]
    # All addresses must be allowed, because the connection may use any of them.
    if not addresses or not all(hosts.allows(address, url.host) for address in addresses):
        message = "the host has a private address that is not on the list"
        raise NotReachedError(message)
    return {
        "url": url.copy_with(host=str(addresses[0])),
        "headers": {"host": url.netloc.decode("ascii")},
        "extensions": {"sni_hostname": url.host},
    }
