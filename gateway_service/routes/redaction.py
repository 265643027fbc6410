"""The route that redacts given boxes."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from gateway_service.answers import Problem, TaskAnswer
from gateway_service.forms import RedactForm, boxes_of, options_of
from gateway_service.http.dependencies import Gateway
from gateway_service.http.threads import fetch
from gateway_service.routes.tasks import MULTIPART, PICTURE, PROBLEMS
from gateway_service.tasks.callers import CurrentCaller
from obscura.contract import JobKind
from obscura.errors import InvalidOptionError, OriginalErasedError
from obscura.jobs import JobState
from obscura.storage import MissingObjectError

router = APIRouter(tags=["photos"], responses={**PROBLEMS, 404: {"model": Problem}, 410: {"model": Problem}})


async def _original(gateway: Gateway, task_id: str) -> bytes:
    """Return the retained photo of a finished detection."""
    record = await gateway.job_store.read(task_id)
    if record.state is JobState.DONE and record.kind is JobKind.DETECT and record.options.retain:
        try:
            return await fetch(gateway.storage, record.photo)
        except MissingObjectError:
            pass
    message = "the photo of this task is not kept; send it again, or detect with retain=SECONDS"
    raise OriginalErasedError(message)


@router.post("/redact", response_model=TaskAnswer, response_model_exclude_none=True, responses={**PICTURE})
async def redact_photo(
    caller: CurrentCaller, form: Annotated[RedactForm, Form(media_type=MULTIPART)]
) -> TaskAnswer | Response:
    """Hide exactly the given boxes, in a photo or in the retained photo of a detection."""
    options = options_of(form).model_copy(update={"boxes": boxes_of(form.boxes)})
    if (form.file is None) == (form.task_id is None):
        message = "send either file or task_id"
        raise InvalidOptionError(message)
    if form.file is not None:
        return await caller.submit_for_picture(JobKind.REDACT, form.file, options, form.mask)
    data = await _original(caller.gateway, form.task_id or "")
    return await caller.resubmit(JobKind.REDACT, data, options, form.mask)
