"""Fetch a picture named by URL, from allow-listed hosts only.

Redirects stay on the same host.
"""

import asyncio

import httpx

from gateway_service.http.egress import Hosts, NotReachedError, pinned
from obscura.errors import ServiceError
from obscura.settings import Settings

__all__ = ["FetchFailedError", "fetch", "sources_of"]

MAX_HOPS = 3
TIMEOUT_S = 10.0


class FetchFailedError(ServiceError):
    """The picture was not fetched; the reason is only logged, not returned to the caller."""

    code = "fetch_failed"


def sources_of(settings: Settings) -> Hosts:
    """Return the allowed hosts of picture URLs; raise InvalidOptionError where the setting is invalid."""
    return Hosts.parse(settings.verification_url_hosts, "OBSCURA_VERIFICATION_URL_HOSTS")


async def _get(client: httpx.AsyncClient, url: httpx.URL, sources: Hosts, limit: int) -> bytes | httpx.URL:
    """Return the body of a response, or the URL that it redirects to."""
    place = await pinned(url, sources)
    place["headers"] |= {"accept": "image/*", "accept-encoding": "identity"}
    async with client.stream("GET", **place) as answer:
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


async def fetch(text: str, sources: Hosts, limit: int) -> bytes:
    """Return the bytes behind a URL, at most ``limit``.

    Raises
    ------
    FetchFailedError
        If the host is not listed, or the picture is too large or not received within `TIMEOUT_S`.
    """
    try:
        url = httpx.URL(text)
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, follow_redirects=False) as client,
        ):
            host = url.host
            for _ in range(MAX_HOPS):
                if url.host != host:
                    break
                found = await _get(client, url, sources, limit)
                if isinstance(found, bytes):
                    return found
                url = found
    except NotReachedError as error:
        raise FetchFailedError(error.message) from error
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
        message = "the picture could not be fetched"
        raise FetchFailedError(message) from error
    message = "redirected too often, or to another host"
    raise FetchFailedError(message)
