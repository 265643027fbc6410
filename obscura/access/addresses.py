"""IPv4 addresses embedded in IPv6 addresses, and whether an address is public."""

import ipaddress
from typing import TypeAlias

__all__ = ["Address", "is_public", "packet_destination"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
# Networks whose last 32 bits are the IPv4 destination: IPv4-compatible and IPv4-mapped (RFC 4291),
# IPv4-translated (RFC 2765), NAT64 (RFC 6052).
TRAILING = tuple(
    ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
# Site-local NAT64 (RFC 8215): the destination depends on the site.
SITE_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
OWN = frozenset({ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")})


def packet_destination(address: Address) -> Address:
    """Return the destination of packets to ``address``: its embedded IPv4 address, else the address itself.

    >>> [str(packet_destination(ipaddress.ip_address(text))) for text in ("64:ff9b::a00:1", "::1")]
    ['10.0.0.1', '::1']
    """
    if not isinstance(address, ipaddress.IPv6Address) or address in OWN:
        return address
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in TRAILING):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether packets to ``address`` go to a public Internet address."""
    destination = packet_destination(address)
    return destination.is_global and not destination.is_multicast and address not in SITE_NAT64
