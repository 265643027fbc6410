"""Whether other machines can reach an installation, and so whether it requires keys."""

import ipaddress

from obscura.settings import ApiKeys, Settings

__all__ = ["asks_for_keys", "is_loopback", "is_reachable"]


def is_loopback(host: str) -> bool:
    """Whether what listens on ``host`` can be reached from this machine only.

    A name other than localhost counts as reachable, and so does an empty one: it means every address.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_reachable(settings: Settings, host: str) -> bool:
    """Whether other machines can reach a gateway that listens on ``host``.

    Inside a container the address says nothing: what counts is where the container's port is published.
    """
    return not is_loopback(settings.published_on or host)


def asks_for_keys(settings: Settings, host: str) -> bool:
    """Whether a gateway that listens on ``host`` asks for keys."""
    match settings.api_keys:
        case ApiKeys.ON:
            return True
        case ApiKeys.OFF:
            return False
        case ApiKeys.AUTO:
            return is_reachable(settings, host)
