"""IPv6 addresses that stand for IPv4 addresses are judged as those."""

import ipaddress

import pytest
from starlette.datastructures import Headers

from gateway_service.http.access import caller_address, key_text
from gateway_service.http.egress import Hosts
from obscura.access.addresses import packet_destination
from obscura.errors import InvalidKeyError

FORMS = ("::ffff:{0}", "::ffff:0:{0}", "64:ff9b::{0}", "::{0}")


def six_to_four(address: str) -> str:
    """Return the first 6to4 address of an IPv4 address."""
    return str(ipaddress.IPv6Address((0x2002 << 112) | int(ipaddress.IPv4Address(address)) << 80))


def written(address: str) -> list[str]:
    """Return an IPv4 address in all the ways in which IPv6 can say it."""
    return [*(form.format(address) for form in FORMS), six_to_four(address)]


@pytest.mark.parametrize("private", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1"])
def test_no_form_leads_to_a_private_address(private: str) -> None:
    """A listed name that is translated to an inner address is refused, unless the inner one is listed."""
    strict, network = Hosts.parse("photos.example", "X"), Hosts.parse(f"photos.example, {private}/32", "X")
    for text in written(private):
        address = ipaddress.ip_address(text)
        assert str(packet_destination(address)) == private
        assert not strict.allows(address, "photos.example"), text
        assert network.allows(address, "photos.example"), text


def test_every_form_leads_to_a_public_address() -> None:
    """What translates to an address of the open Internet is that address."""
    hosts = Hosts.parse("photos.example", "X")
    for text in (*written("93.184.215.14"), "2606:2800:21f:cb07:6820:80da:af6b:8b2c"):
        assert hosts.allows(ipaddress.ip_address(text), "photos.example"), text
    for text in ("::1", "::", "fe80::1", "fd00::1", "ff02::1", "64:ff9b:1::1"):
        assert not hosts.allows(ipaddress.ip_address(text), "photos.example"), text


def test_callers_are_told_apart_by_the_ipv4_address() -> None:
    """A dual-stack gateway sees IPv4 callers as IPv6 addresses of one /64: their limits are their own."""
    assert [caller_address((f"::ffff:192.0.2.{last}", 1)) for last in (1, 2)] == ["192.0.2.1", "192.0.2.2"]
    assert caller_address(("2001:db8::1", 1)) == caller_address(("2001:db8::2", 1))


@pytest.mark.parametrize("empty", ["Bearer", "Bearer ", "bearer   ", "Basic eDp5"])
def test_an_empty_bearer_beside_a_key_is_no_second_key(empty: str) -> None:
    """As proxies and clients send it that have none; alone it is a key that opens nothing."""
    assert key_text(Headers({"authorization": empty, "x-api-key": "k"})) == "k"
    assert key_text(Headers({"authorization": "Bearer k", "x-api-key": " "})) == "k"
    assert key_text(Headers({"x-api-key": ""})) == ""
    assert key_text(Headers({})) is None


def test_two_keys_are_refused_wherever_they_stand() -> None:
    """Whose request it is would depend on who reads it."""
    for pair in (("authorization", "x-api-key"), ("x-api-key", "x-api-key"), ("authorization",) * 2):
        values = [
            f"Bearer {end}" if name == "authorization" else end for name, end in zip(pair, "ab", strict=True)
        ]
        raw = [(name.encode(), value.encode()) for name, value in zip(pair, values, strict=True)]
        with pytest.raises(InvalidKeyError):
            key_text(Headers(raw=raw))
