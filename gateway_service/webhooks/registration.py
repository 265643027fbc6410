"""Validate webhook addresses of requests and report delivery progress."""

from functools import lru_cache

import httpx

from gateway_service.http.dependencies import Gateway
from gateway_service.http.egress import Hosts, NotReachedError
from gateway_service.schemas import WebhookProgress, WebhookState
from obscura.contract.webhooks import read_secrets
from obscura.errors import InvalidOptionError, ServiceError, WebhookNotAllowedError
from obscura.jobs.webhook_deliveries import subject_key
from obscura.settings import Settings

__all__ = ["check_webhook", "hosts_of", "progress_of_webhook", "secrets_of"]


@lru_cache(maxsize=8)
def hosts_of(text: str) -> Hosts:
    """Return the hosts of ``OBSCURA_WEBHOOK_HOSTS``: by https, unless an entry says http itself."""
    return Hosts.parse(text, "OBSCURA_WEBHOOK_HOSTS", schemes=("https",))


def secrets_of(settings: Settings) -> tuple[bytes, ...]:
    """Return what webhooks are signed with.

    Raises
    ------
    InvalidOptionError
        If hosts are listed and there is no secret, or none that can be used.
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
    """Refuse an address that would not be told.

    Raises
    ------
    InvalidOptionError
        If it is no URL.
    WebhookNotAllowedError
        If its host is not listed; where the host leads is looked at when it is told.
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
    """Return how far the telling of ``subject`` (``task:ID`` or ``batch:ID``) is; None where nobody knows."""
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
        # Away or damaged. The result itself may still be at hand: it is not held back for this.
        return None
