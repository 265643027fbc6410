"""Routes that fetch, watch and erase results."""

import asyncio
from collections.abc import Collection
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from gateway_service.answers import Problem, TaskProgress, TaskResult
from gateway_service.http.dependencies import CurrentGateway, Gateway
from gateway_service.http.ranges import ranged
from gateway_service.openapi.forms import BINARY
from gateway_service.results.downloads import StoredResult, file_response
from gateway_service.results.serialisers import picture_of, progress_of, task_result_of
from gateway_service.results.streams import EventStream
from obscura.contract import JobKind
from obscura.errors import LookupFailedError, NoPictureError, ObscuraError
from obscura.jobs import JobRecord, JobState

log = structlog.get_logger(__name__)
MAX_WAIT_S = 30.0
router = APIRouter(
    prefix="/task_result", tags=["tasks"], responses={s: {"model": Problem} for s in (404, 422, 503)}
)
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": BINARY}, "description": "the picture; HEAD answers its headers alone"},
    206: {"content": {"image/*": BINARY}, "description": "the part that the header Range asked for"},
    304: {"description": "unchanged: If-None-Match names it"},
    400: {"description": "a Range that cannot be read"},
    416: {"description": "no such Range"},
}
EVENT: dict[str, Any] = {
    "title": "StreamEvent",
    "type": "object",
    "properties": {"event": {"type": "string", "enum": ["progress", "end"]}, "data": {"type": "string"}},
}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": EVENT}},
        "description": "events `progress` with a JSON object each; the last is `end`",
    },
}
TaskId = Annotated[str, Path(max_length=200, description="the id that a POST returned")]
Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for the end of the task")]

Embed = Annotated[bool, Query(description="false: `picture` says where a picture is, instead of base64")]


@router.get("/{task_id}", response_model_exclude_none=True)
async def get_task(
    gateway: CurrentGateway, task_id: TaskId, wait: Wait = 0.0, *, embed: Embed = True
) -> TaskResult:
    """Return the state of a task, with its result once it has ended."""
    return await task_result_of(gateway, await gateway.events.wait_for_end(task_id, wait), embed=embed)


@router.get("/{task_id}/events", response_class=StreamingResponse, responses=EVENTS)
async def follow_task(gateway: CurrentGateway, task_id: TaskId) -> StreamingResponse:
    """Send the state of a task after every change, as server-sent events; the last is ``end``."""
    # Raises where the task is not the caller's: followers share one state.
    await gateway.job_store.read(task_id)
    return EventStream(gateway, _FollowedTask(gateway, task_id))


class _FollowedTask:
    """A task as the subject of streams."""

    def __init__(self, gateway: Gateway, task_id: str) -> None:
        self.name = f"{gateway.job_store.calls.owner} task {task_id}"
        self._gateway = gateway
        self._task_id = task_id

    async def job_ids(self) -> list[str]:
        return [self._task_id]

    async def read_state(self, _known: BaseModel | None, _changed: Collection[str]) -> TaskProgress:
        return progress_of(await self._gateway.job_store.read(self._task_id))


@router.head("/{task_id}/image", include_in_schema=False)
@router.get("/{task_id}/image", response_class=Response, responses=PICTURES)
async def get_task_picture(
    gateway: CurrentGateway,
    task_id: TaskId,
    wait: Wait = 0.0,
    if_none_match: Annotated[str, Header()] = "",
    part: Annotated[str, Header(alias="range", include_in_schema=False)] = "",
) -> Response:
    """Return the redacted picture as bytes, once it is finished."""
    record = await gateway.events.wait_for_end(task_id, wait)
    return await picture_response(gateway, record, if_none_match, part)


async def picture_response(
    gateway: Gateway, record: JobRecord, if_none_match: str = "", part: str = ""
) -> Response:
    """Return a response with the picture of a job, or the requested range of it."""
    if record.kind is JobKind.BLUR_VIDEO:
        message = f"the result of this task is a video: /task_result/{record.id}/video"
        raise NoPictureError(message)
    if record.state is not JobState.DONE or record.picture is None or record.media_type is None:
        message = "this task has no picture (yet)"
        raise NoPictureError(message)
    media_type = record.media_type

    async def from_remote_storage(headers: dict[str, str]) -> Response:
        return ranged(await picture_of(gateway, record), part, headers, media_type)

    return await file_response(
        gateway, StoredResult(record.id, record.picture, media_type), if_none_match, from_remote_storage
    )


@router.delete("/{task_id}", status_code=204)
async def erase_task(gateway: CurrentGateway, task_id: TaskId) -> None:
    """Cancel the task if it has not ended, and erase its photo and result."""
    await erase(gateway, await gateway.job_store.read(task_id))


async def erase(gateway: Gateway, record: JobRecord) -> bool:
    """Erase a job with its stored objects; return whether it existed."""
    was_there = await gateway.job_store.run(gateway.job_store.calls.erase(record.id))
    gateway.job_store.finished_records.forget(record.id)
    for key in (record.photo, record.picture):
        if key is not None:
            erased = await asyncio.to_thread(gateway.storage.delete, key)
            await gateway.job_store.run(gateway.job_store.calls.forget(key, was_there=erased))
    return was_there


async def forget(gateway: Gateway, job_id: str) -> None:
    """Erase a job that is not needed any more, ignoring errors; retention erases what is left."""
    try:
        await erase(gateway, await gateway.job_store.read(job_id))
    except LookupFailedError:
        pass
    except ObscuraError as error:
        log.warning("job_not_erased", code=error.code)
