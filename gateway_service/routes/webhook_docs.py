"""OpenAPI description of the webhooks that ``gateway_service.webhooks.deliverer`` sends."""

from typing import Annotated

from fastapi import APIRouter, Header

from obscura.contract.webhooks import BatchFinishedEvent, TaskFinishedEvent

MessageId = Annotated[str, Header(alias="webhook-id", description="the same in every attempt")]
SentAt = Annotated[int, Header(alias="webhook-timestamp", description="seconds since 1970, of this attempt")]
Signature = Annotated[
    str,
    Header(alias="webhook-signature", description="v1,<base64 of HMAC-SHA256 over id.timestamp.body>"),
]
router = APIRouter(tags=["webhooks"])


@router.post("task.finished", status_code=204, operation_id="receive_task_finished")
async def task_finished(body: TaskFinishedEvent, message: MessageId, sent: SentAt, signed: Signature) -> None:
    """Sent to the `webhook` of a task when it has ended, until answered with 2xx or 410."""


@router.post("batch.finished", status_code=204, operation_id="receive_batch_finished")
async def batch_finished(
    body: BatchFinishedEvent, message: MessageId, sent: SentAt, signed: Signature
) -> None:
    """Sent to the `webhook` of a batch when its last photo has ended, until answered with 2xx or 410."""
