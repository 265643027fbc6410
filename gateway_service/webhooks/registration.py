"""Validate webhook addresses of requests and report delivery progress."""

from functools import lru_cache

import httpx

from gateway_service.answers import WebhookProgress, WebhookState
from gateway_service.http.dependencies import Gateway
from gateway_service.http.egress import Hosts, NotReachedError
from obscura.contract.webhooks import read_secrets
from obscura.errors import InvalidOptionError, ServiceError, WebhookNotAllowedError
from obscura.jobs.webhook_deliveries import subject_key
from obscura.settings import Settings

__all__ = ["check_webhook", "hosts_of", "progress_of_webhook", "secrets_of"]


@lru_cache(maxsize=8)
def hosts_of(text: str) -> Hosts:
    """Return the hosts of ``OBSCURA_WEBHOOK_HOSTS``; https only, unless an entry names http."""
    return Hosts.parse(text, "OBSCURA_WEBHOOK_HOSTS", schemes=("https",))


def secrets_of(settings: Settings) -> tuple[bytes, ...]:
    """Return the secrets that webhooks are signed with.

    Raises
    ------
    InvalidOptionError
        If hosts are listed and there is no secret, or a secret is invalid.
    """
    hosts_of(settings.webhook_hosts)
    try:
        found = read_secrets(settings.webhook_secret.get_secret_value() if settings.webhook_secret else "")
    except ValueError as error:
        message = f"OBSCURA_WEBHOOK_SECRET: {error}"
        raise InvalidOptionError(message) from error
    if settings.webhook_hosts and not found:
        message = "OBSCURA_WEBHOOK_HOSTS is set: webhooks need OBSCURA_WEBHOOK_SECRET to be signed with"
        raise InvalidOptionError(message)
    return found


def check_webhook(url: str | None, settings: Settings) -> None:
    """Check the address of a webhook against the allow-list.

    Raises
    ------
    InvalidOptionError
        If it is not a URL.
    WebhookNotAllowedError
        If its host is not listed. The host's IP addresses are checked at delivery.
    """
    if url is None:
        return
    try:
        place = httpx.URL(url)
    except httpx.InvalidURL as error:
        message = f"webhook: {error}"
        raise InvalidOptionError(message) from error
    try:
        hosts_of(settings.webhook_hosts).check(place)
    except NotReachedError as error:
        message = f"webhook: {error.message} (OBSCURA_WEBHOOK_HOSTS)"
        raise WebhookNotAllowedError(message) from error


async def progress_of_webhook(gateway: Gateway, subject: str) -> WebhookProgress | None:
    """Return the delivery state of ``subject`` (``task:ID`` or ``batch:ID``); None where it is unknown."""
    try:
        record = await gateway.job_store.hash(subject_key(subject))
        if not record:
            return WebhookProgress(state=WebhookState.WAITING)
        return WebhookProgress(
            state=WebhookState(record["state"]),
            attempts=int(record["attempts"]),
            http_status=int(record["http_status"]) if record.get("http_status") else None,
            error=record.get("error") or None,
            next_attempt=float(record["next"]) if "next" in record else None,
        )
    except (ServiceError, KeyError, ValueError):
        # Unavailable or damaged: the result itself is returned all the same.
        return None
