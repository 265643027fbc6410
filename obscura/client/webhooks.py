"""Verify and parse received webhooks."""

import hmac
import time
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from obscura.contract.webhooks import WebhookEvent, read_secrets, signatures
from obscura.errors import WebhookInvalidError

__all__ = ["verify_webhook"]

TOLERANCE_S = 300.0
_EVENT: TypeAdapter[WebhookEvent] = TypeAdapter(Annotated[WebhookEvent, Field(discriminator="type")])


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secret: str, *, tolerance_s: float = TOLERANCE_S
) -> WebhookEvent:
    """Verify the signature of a webhook and return its event.

    Parameters
    ----------
    body
        The request's body, exactly as it came: JSON that was read and written again has another signature.
    headers
        The request's headers, by names in any case.
    secret
        What the server signs with; several with spaces between while one is being replaced.
    tolerance_s
        How far the request's own time may be from now: an old request is not played again.

    Raises
    ------
    WebhookInvalidError
        If it is not signed with the secret, too old, or not an event of this version.
    """
    names = {name.lower(): value for name, value in headers.items()}
    message_id, stated = names.get("webhook-id", ""), names.get("webhook-timestamp", "")
    # int() takes more than digits: spaces, signs, underscores.
    if not message_id or not (stated.isascii() and stated.isdigit()):
        message = "the headers webhook-id and webhook-timestamp are missing or damaged"
        raise WebhookInvalidError(message)
    try:
        wanted = signatures(read_secrets(secret), message_id, int(stated), body)
    except ValueError as error:
        raise WebhookInvalidError(str(error)) from error
    given = names.get("webhook-signature", "").split()
    if not any(_is_same(one, other) for one in given for other in wanted):
        message = "the webhook was not signed with this secret"
        raise WebhookInvalidError(message)
    if abs(time.time() - int(stated)) > tolerance_s:
        message = "the webhook is too old, or the clocks differ"
        raise WebhookInvalidError(message)
    try:
        return _EVENT.validate_json(body)
    except ValidationError as error:
        message = "the webhook is signed, but its event is unknown to this version"
        raise WebhookInvalidError(message) from error


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
