"""Routes of videos: submit, follow, download."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Header, Response
from fastapi.responses import StreamingResponse

from gateway_service.answers import Problem, TaskCreated
from gateway_service.forms import VideoForm, options_of
from gateway_service.http.dependencies import CurrentGateway, Gateway
from gateway_service.http.ranges import part_of
from gateway_service.openapi.forms import BINARY, VIDEOS
from gateway_service.results.downloads import StoredResult, file_response
from gateway_service.routes.results import TaskId, Wait
from gateway_service.routes.tasks import MULTIPART, PROBLEMS
from gateway_service.tasks.callers import CurrentCaller
from obscura.contract import JobKind
from obscura.errors import NoPictureError
from obscura.jobs import JobRecord, JobState

PATH: Final = "/blur_video"
FILES: Final = {"content": {MULTIPART: {"encoding": {"file": {"contentType": VIDEOS}}}}}
WHOLE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"video/*": BINARY}, "description": "the video; HEAD answers its headers alone"},
    206: {"content": {"video/*": BINARY}, "description": "the part that the header Range asked for"},
    304: {"description": "unchanged: If-None-Match names it"},
    400: {"description": "a Range that cannot be read"},
    404: {"model": Problem},
    416: {"description": "no such Range"},
    422: {"model": Problem},
}
router = APIRouter(tags=["videos"])


@router.post(PATH, responses={**PROBLEMS}, openapi_extra={"requestBody": FILES})
async def blur_video(
    caller: CurrentCaller, form: Annotated[VideoForm, Form(media_type=MULTIPART)]
) -> TaskCreated:
    """Detect objects in a video, track them from frame to frame and hide them."""
    return await caller.submit_video(form.file, options_of(form), form.mask)


@router.head("/task_result/{task_id}/video", include_in_schema=False)
@router.get("/task_result/{task_id}/video", response_class=Response, responses=WHOLE)
async def get_task_video(
    gateway: CurrentGateway,
    task_id: TaskId,
    wait: Wait = 0.0,
    if_none_match: Annotated[str, Header()] = "",
    part: Annotated[str, Header(alias="range", include_in_schema=False)] = "",
) -> Response:
    """Return the redacted video as bytes, once it is finished."""
    record = await gateway.events.wait_for_end(task_id, wait)
    return await _response(gateway, record, if_none_match, part)


async def _response(gateway: Gateway, record: JobRecord, if_none_match: str, part: str) -> Response:
    is_there = record.kind is JobKind.BLUR_VIDEO and record.state is JobState.DONE
    if not is_there or record.picture is None or record.media_type is None:
        message = "this task has no video (yet)"
        raise NoPictureError(message)
    key, media_type = record.picture, record.media_type

    async def from_remote_storage(headers: dict[str, str]) -> Response:
        return await _stream_object(gateway, key, part, headers | {"content-type": media_type})

    return await file_response(
        gateway, StoredResult(record.id, key, media_type), if_none_match, from_remote_storage
    )


async def _stream_object(gateway: Gateway, key: str, part: str, headers: dict[str, str]) -> Response:
    """Return a response that streams an object from remote storage."""
    size = await asyncio.to_thread(gateway.storage.size, key)
    wanted = part_of(part, size)
    headers["accept-ranges"] = "bytes"
    if wanted is not None:
        headers["content-range"] = wanted.content_range
        if not wanted.is_there:
            return Response(status_code=416, headers=headers)
    start, end = (0, size) if wanted is None else (wanted.start, wanted.end)
    headers["content-length"] = str(end - start)
    pieces = gateway.storage.chunks(key, start, end)
    return StreamingResponse(pieces, 200 if wanted is None else 206, headers)
