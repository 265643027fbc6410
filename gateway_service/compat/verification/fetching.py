"""Fetching a picture that a caller named by URL: only from hosts that the operator has listed.

The address is looked up once, held against the list, and connected to as it was found, so that a name cannot
point elsewhere between the check and the request (DNS rebinding). Redirects stay on the same host.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from obscura.errors import InvalidOptionError, ServiceError
from obscura.settings import Settings

__all__ = ["FetchFailedError", "Sources", "fetch"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
PORTS = {"http": 80, "https": 443}
MAX_HOPS = 3
TIMEOUT_S = 10.0


class FetchFailedError(ServiceError):
    """The picture was not fetched; why is nobody's business but the log's."""

    code = "fetch_failed"


@dataclass(frozen=True)
class Sources:
    """Where pictures may come from: hosts, and the private networks that those may lie in."""

    hosts: frozenset[str]
    networks: Sequence[Network]

    @classmethod
    def of(cls, settings: Settings) -> "Sources":
        """Return the sources that the settings list.

        Raises
        ------
        InvalidOptionError
            If an entry is neither a host nor a network.
        """
        hosts: set[str] = set()
        networks: list[Network] = []
        for entry in filter(
            None, (part.strip().lower() for part in settings.verification_url_hosts.split(","))
        ):
            if "/" not in entry:
                hosts.add(entry)
                continue
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError as error:
                message = f"OBSCURA_VERIFICATION_URL_HOSTS: {entry!r} is neither a host nor a network"
                raise InvalidOptionError(message) from error
        return cls(frozenset(hosts), tuple(networks))

    def check_host(self, url: httpx.URL) -> None:
        """Raise FetchFailedError unless the URL names a listed host."""
        if url.scheme not in PORTS or url.userinfo or not url.host:
            message = "not a plain http or https URL"
            raise FetchFailedError(message)
        with_port = f"{url.host.lower()}:{_port(url)}"
        is_usual = _port(url) == PORTS[url.scheme]
        if with_port not in self.hosts and not (is_usual and url.host.lower() in self.hosts):
            message = "the host is not on the list"
            raise FetchFailedError(message)

    def allows(self, address: Address, host: str) -> bool:
        """Whether a listed host may be connected to at ``address``."""
        if any(address in network for network in self.networks):
            return True
        # An operator who writes the address itself down means it.
        return str(address) == host or (address.is_global and not address.is_multicast)


def _port(url: httpx.URL) -> int:
    return url.port or PORTS[url.scheme]


async def _address_of(url: httpx.URL, sources: Sources) -> Address:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, _port(url), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = "the host has no address"
        raise FetchFailedError(message) from error
    addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in found]
    # Every address must be allowed: a name that points inwards at all is not trusted.
    if not addresses or not all(sources.allows(address, url.host) for address in addresses):
        message = "the host has a private address that is not on the list"
        raise FetchFailedError(message)
    return addresses[0]


async def _get(client: httpx.AsyncClient, url: httpx.URL, address: Address, limit: int) -> bytes | httpx.URL:
    """Return the body of one answer, or where it sends us."""
    headers = {"host": url.netloc.decode("ascii"), "accept": "image/*", "accept-encoding": "identity"}
    extensions = {"sni_hostname": url.host}
    place = url.copy_with(host=str(address))
    async with client.stream("GET", place, headers=headers, extensions=extensions) as answer:
        if answer.is_redirect:
            return url.join(answer.headers.get("location", ""))
        if answer.status_code != httpx.codes.OK:
            message = "the host does not have the picture"
            raise FetchFailedError(message)
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > limit:
                message = "the picture is too large"
                raise FetchFailedError(message)
        return bytes(body)


async def fetch(text: str, sources: Sources, limit: int) -> bytes:
    """Return the bytes behind a URL, at most ``limit``.

    Raises
    ------
    FetchFailedError
        If the host is not listed, or the picture cannot be had within ten seconds.
    """
    try:
        url = httpx.URL(text)
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, follow_redirects=False) as client,
        ):
            host = url.host
            for _ in range(MAX_HOPS):
                sources.check_host(url)
                if url.host != host:
                    break
                found = await _get(client, url, await _address_of(url, sources), limit)
                if isinstance(found, bytes):
                    return found
                url = found
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
        message = "the picture could not be fetched"
        raise FetchFailedError(message) from error
    message = "redirected too often, or to another host"
    raise FetchFailedError(message)
