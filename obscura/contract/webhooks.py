"""Webhook events and their signatures (Standard Webhooks 1.0).

The signature is HMAC-SHA256 over ``id.timestamp.body``, sent in the headers ``webhook-id``,
``webhook-timestamp`` and ``webhook-signature``. The libraries of Standard Webhooks verify it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BatchFinished",
    "BatchFinishedEvent",
    "TaskFinished",
    "TaskFinishedEvent",
    "WebhookError",
    "WebhookEvent",
    "read_secrets",
    "signatures",
]

SECRET_PREFIX = "whsec_"  # noqa: S105 - the convention's mark of a secret, not one
VERSION = "v1"
LEAST_SECRET_BYTES = 24


class WebhookError(BaseModel):
    """Why a task failed."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


class TaskFinished(BaseModel):
    """The end of a task; the picture is not included, ``links`` say where to get it."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    status: Literal["SUCCESS", "FAILURE"]
    verdict: str | None = Field(None, description="of a redacted picture: clean, nothing_found, needs_review")
    error: WebhookError | None = None
    links: dict[str, str] = Field(
        default_factory=dict, description="result, and image or video if there is one"
    )


class BatchFinished(BaseModel):
    """The end of a batch, with the number of its tasks."""

    model_config = ConfigDict(frozen=True)

    batch_id: str
    total: int
    done: int
    failed: int
    links: dict[str, str] = Field(default_factory=dict, description="status and archive")


class TaskFinishedEvent(BaseModel):
    """A task has ended."""

    model_config = ConfigDict(frozen=True)

    type: Literal["task.finished"] = "task.finished"
    timestamp: datetime = Field(description="when it ended")
    data: TaskFinished


class BatchFinishedEvent(BaseModel):
    """The last task of a batch has ended."""

    model_config = ConfigDict(frozen=True)

    type: Literal["batch.finished"] = "batch.finished"
    timestamp: datetime = Field(description="when it ended")
    data: BatchFinished


WebhookEvent = TaskFinishedEvent | BatchFinishedEvent


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Return the secrets in a space-separated text; the first is the newest.

    A secret is ``whsec_`` and the base64 of at least 24 bytes, or any other text of at least 24 bytes.

    Raises
    ------
    ValueError
        If one is not base64, or too short.
    """
    return tuple(_secret(item) for item in text.split())


def _secret(text: str) -> bytes:
    if not text.startswith(SECRET_PREFIX):
        secret = text.encode()
    else:
        try:
            secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error as error:
            message = "a webhook secret is not base64 after whsec_"
            raise ValueError(message) from error
    if len(secret) < LEAST_SECRET_BYTES:
        message = f"a webhook secret has fewer than {LEAST_SECRET_BYTES} bytes"
        raise ValueError(message)
    return secret


def signatures(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> list[str]:
    """Return the items of the header ``webhook-signature``, one per secret; ``timestamp`` in seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return [f"{VERSION},{base64.b64encode(digest).decode()}" for digest in digests]
