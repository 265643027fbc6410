"""The exposure check: whether other machines can reach a gateway, and so whether it requires API keys."""

import ipaddress

from obscura.settings import ApiKeys, Settings

__all__ = ["is_loopback", "is_reachable", "requires_keys"]


def is_loopback(host: str) -> bool:
    """Whether a server that listens on ``host`` can be reached from this machine only.

    Names other than localhost count as reachable, and so does an empty one, which means every address.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_reachable(settings: Settings, host: str) -> bool:
    """Whether other machines can reach a gateway that listens on ``host``.

    In a container, ``published_on`` decides: the address on which the container's port is published.
    """
    return not is_loopback(settings.published_on or host)


def requires_keys(settings: Settings, host: str) -> bool:
    """Whether a gateway that listens on ``host`` requires API keys."""
    match settings.api_keys:
        case ApiKeys.ON:
            return True
        case ApiKeys.OFF:
            return False
        case ApiKeys.AUTO:
            return is_reachable(settings, host)
