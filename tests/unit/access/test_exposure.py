"""When keys are asked for."""

import pytest

from obscura.access import requires_keys
from obscura.settings import ApiKeys, Settings


@pytest.mark.parametrize(
    ("host", "published_on", "asks"),
    [
        ("127.0.0.1", "", False),
        ("localhost", "", False),
        ("::1", "", False),
        ("127.8.8.8", "", False),
        ("0.0.0.0", "", True),  # noqa: S104 - a case
        ("::", "", True),
        ("", "", True),
        ("192.168.1.5", "", True),
        ("photos.example.com", "", True),
        # In a container: what counts is where the port is published.
        ("0.0.0.0", "127.0.0.1", False),  # noqa: S104 - a case
        ("0.0.0.0", "[::1]", False),  # noqa: S104 - a case
        ("0.0.0.0", "0.0.0.0", True),  # noqa: S104 - a case
        ("127.0.0.1", "10.0.0.1", True),
    ],
)
def test_keys_are_asked_for_where_others_can_reach_it(host: str, published_on: str, *, asks: bool) -> None:
    """By itself, that is decided by the address; a person may decide otherwise."""
    settings = Settings(published_on=published_on)
    assert requires_keys(settings, host) is asks
    assert requires_keys(settings.model_copy(update={"api_keys": ApiKeys.ON}), host)
    assert not requires_keys(settings.model_copy(update={"api_keys": ApiKeys.OFF}), host)
