"""How a client reaches a server: address, key, and the HTTP library's errors in the client's own words."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from obscura.errors import InvalidOptionError, ServerUnreachableError

__all__ = ["DEFAULT_URL", "address_of", "headers_of", "own_errors"]

DEFAULT_URL = "http://127.0.0.1:8000"


def headers_of(key: str | None) -> dict[str, str]:
    """Return the headers that carry an API key; raise InvalidOptionError where no header can."""
    if key is None:
        return {}
    if not key.isascii() or not key.isprintable():
        message = "the API key has characters that no key has"
        raise InvalidOptionError(message)
    return {"authorization": f"Bearer {key}"}


def address_of(url: str) -> httpx.URL:
    """Return a server's address; raise InvalidOptionError where it is none."""
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        message = f"not the address of a server: {error}; it looks like {DEFAULT_URL}"
        raise InvalidOptionError(message) from error
    if address.scheme not in {"http", "https"} or not address.host:
        message = f"not the address of a server: {url}; it looks like {DEFAULT_URL}"
        raise InvalidOptionError(message)
    return address


@contextmanager
def own_errors() -> Iterator[None]:
    """Raise ServerUnreachableError for what else the HTTP library raises over an answer."""
    try:
        yield
    except httpx.TransportError:
        raise
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        message = f"the server's answer cannot be read: {error}"
        raise ServerUnreachableError(message) from error
