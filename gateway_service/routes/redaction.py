"""Hiding the boxes that a person chose."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form

from gateway_service.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.routes.tasks import MULTIPART, PROBLEMS, IdempotencyKey
from gateway_service.schemas import Problem, RedactForm, TaskCreated, boxes_of, options_of
from gateway_service.submission import Submission, enter, hold_to_policy, submit
from obscura.contract import JobKind
from obscura.errors import InvalidOptionError, OriginalErasedError
from obscura.jobs import JobState
from obscura.storage import MissingObjectError

router = APIRouter(tags=["photos"], responses={**PROBLEMS, 404: {"model": Problem}, 410: {"model": Problem}})


async def _original(gateway: Gateway, task_id: str) -> bytes:
    """Return the retained photo of a finished detection."""
    row = await gateway.ledger.read(task_id)
    if row.state is JobState.DONE and row.kind is JobKind.DETECT and row.options.retain:
        try:
            return await asyncio.to_thread(gateway.storage.get, row.photo)
        except MissingObjectError:
            pass
    message = "the photo of this task is not kept; send it again, or detect with retain=SECONDS"
    raise OriginalErasedError(message)


@router.post("/redact")
async def redact(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[RedactForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Hide exactly the given boxes, in a photo or in the retained photo of a detection."""
    options = options_of(form).model_copy(update={"boxes": boxes_of(form.boxes)})
    wanted = Submission(JobKind.REDACT, options, request_id, idempotency_key)
    if (form.file is None) == (form.task_id is None):
        message = "send either file or task_id"
        raise InvalidOptionError(message)
    if form.file is not None:
        return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))
    hold_to_policy(options, gateway.settings)
    data = await _original(gateway, form.task_id or "")
    return TaskCreated(task_id=await enter(gateway, data, wanted))
