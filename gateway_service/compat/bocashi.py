"""The bocashi compatibility API: always HTTP 200 with a ``ResultSet``, synchronous.

``file_name`` is the id of a job followed by ``.jpg``; it is never used as a path.
"""

import asyncio
import uuid
from enum import IntEnum
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from gateway_service.answers import Problem
from gateway_service.http.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.http.fair_slots import FairSlots
from gateway_service.openapi.forms import BINARY
from gateway_service.routes.results import erase, forget, picture_response
from gateway_service.tasks.submission import Submission, submit
from obscura.contract import JobKind, JobOptions, ObjectClass, OutputFormat
from obscura.errors import LookupFailedError, ObscuraError, PhotoError, RequestError, UnknownTaskError
from obscura.jobs import JobRecord, JobState
from obscura.observability import catalogue, count

router = APIRouter(tags=["legacy"])
DOWNLOADS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": BINARY}, "description": "the picture"},
    206: {"content": {"image/jpeg": BINARY}, "description": "the part that a Range asked for"},
    404: {"model": Problem},
    416: {"description": "no such Range"},
}
log = structlog.get_logger(__name__)
SUFFIX = ".jpg"


class Status(IntEnum):
    """Status numbers of the bocashi API."""

    OK = 0
    UNUSABLE = 1
    BUSY = 2
    NOT_ALLOWED = 3
    FAILED = 4


MESSAGES = {
    Status.OK: "",
    Status.UNUSABLE: "許可されていない拡張子です",
    Status.BUSY: "二つ以上の要求が行われています",
    Status.NOT_ALLOWED: "許可していないリクエストです",
    Status.FAILED: "予測に失敗しました",
}


def _result(status: int, message: str, file_name: str = "") -> JSONResponse:
    return JSONResponse({"ResultSet": {"status": status, "file_name": file_name, "error_message": message}})


def _standard(status: Status, file_name: str = "") -> JSONResponse:
    return _result(status, MESSAGES[status], file_name)


def unusable() -> JSONResponse:
    """Return the answer to an unusable photo."""
    return _standard(Status.UNUSABLE)


class _UnusableError(PhotoError):
    """The form or its photo is not usable."""


class _NothingKeptError(RequestError):
    """The API answers with a name for a later download, which zero retention does not allow."""

    code = "nothing_kept"


def _switch(form: FormData, name: str) -> bool:
    """Return whether the 0/1 field ``name`` is 1, the default."""
    value = form.get(name, "1")
    if value not in {"0", "1"}:
        message = f"{name} is neither 0 nor 1"
        raise _UnusableError(message)
    return value == "1"


def _slots(request: Request, gateway: Gateway) -> FairSlots:
    state, settings = request.app.state, gateway.settings
    if not hasattr(state, "bocashi_slots"):
        state.bocashi_slots = FairSlots(settings.bocashi_slots, settings.key_share)
    slots: FairSlots = state.bocashi_slots
    return slots


async def _blur(gateway: Gateway, form: FormData, request_id: str) -> str:
    """Blur the form's photo and return the id of its finished job."""
    if gateway.settings.zero_retention:
        message = "OBSCURA_ZERO_RETENTION: there would be nothing to download"
        raise _NothingKeptError(message)
    switches = {ObjectClass.FACE: _switch(form, "face_op"), ObjectClass.PLATE: _switch(form, "car_op")}
    upload = form.get("img_file")
    if not isinstance(upload, UploadFile):
        message = "img_file is missing"
        raise _UnusableError(message)
    classes = tuple(name for name, wanted in switches.items() if wanted)
    options = JobOptions(classes=classes, output=OutputFormat.JPEG)
    job_id = (await submit(gateway, upload.file, Submission(JobKind.BLUR, options, request_id))).job_id
    record: JobRecord | None = None
    try:
        limit_s = float(gateway.settings.hard_limit_s)
        record = await gateway.events.wait_for_end(job_id, limit_s)
    finally:
        # Also where the caller disconnects: a picture whose name was not returned must not stay.
        if record is None or record.state is not JobState.DONE:
            await asyncio.shield(forget(gateway, job_id))
    if record.state is not JobState.DONE:
        raise _error_of(record)
    return job_id


def _error_of(record: JobRecord) -> ObscuraError:
    message = record.error_message or "not finished in time"
    photo_codes = {kind.code for kind in PhotoError.__subclasses__()}
    return _UnusableError(message) if record.error_code in photo_codes else ObscuraError(message)


def _refusal(error: ObscuraError) -> JSONResponse:
    count(catalogue.REFUSALS, error.code)
    if isinstance(error, PhotoError):
        return unusable()
    log.warning("bocashi_failed", code=error.code)
    return _standard(Status.NOT_ALLOWED if isinstance(error, _NothingKeptError) else Status.FAILED)


@router.post("/bocashi", response_class=JSONResponse)
async def bocashi_blur_photo(request: Request, gateway: CurrentGateway, request_id: RequestId) -> Response:
    """Hide faces (``face_op``) and number plates (``car_op``) in ``img_file``; answer with a file name."""
    try:
        form = await request.form(max_files=4, max_fields=16)
    except HTTPException:
        return unusable()
    except OSError as error:
        log.warning("bocashi_failed", error=type(error).__name__)
        return _standard(Status.FAILED)
    slots, owner, settings = _slots(request, gateway), gateway.job_store.calls.owner or "", gateway.settings
    if not await slots.acquire(owner, settings.bocashi_wait_s * settings.bocashi_retries):
        return _standard(Status.BUSY)
    try:
        job_id = await _blur(gateway, form, request_id)
    except ObscuraError as error:
        return _refusal(error)
    finally:
        slots.release(owner)
        await form.close()
    return _standard(Status.OK, job_id + SUFFIX)


@router.get("/bocashi", response_class=JSONResponse)
async def bocashi_refuse_get() -> Response:
    """Refuse GET, which the API does not support."""
    return _standard(Status.NOT_ALLOWED)


async def _record(gateway: Gateway, name: str) -> JobRecord:
    """Return the job of a file name; raise UnknownTaskError for any other name."""
    try:
        job_id = str(uuid.UUID(name.removesuffix(SUFFIX)))
    except ValueError:
        job_id = ""
    if name != job_id + SUFFIX:
        message = "not a file name of this server"
        raise UnknownTaskError(message)
    record = await gateway.job_store.read(job_id)
    if record.kind is not JobKind.BLUR or record.options.output is not OutputFormat.JPEG:
        message = "not a file name of this server"
        raise UnknownTaskError(message)
    return record


@router.head("/download/{name:path}", include_in_schema=False)
@router.get("/download/{name:path}", response_class=Response, responses=DOWNLOADS)
async def bocashi_get_picture(gateway: CurrentGateway, name: str) -> Response:
    """Return the redacted picture; 404 where there is none of this name."""
    return await picture_response(gateway, await _record(gateway, name))


@router.get("/delete/{name:path}", response_class=JSONResponse)
async def bocashi_erase_picture(gateway: CurrentGateway, name: str) -> Response:
    """Erase the redacted picture."""
    try:
        was_there = await erase(gateway, await _record(gateway, name))
    except LookupFailedError:
        was_there = False
    except ObscuraError:
        return _result(1, f"{name}の削除に失敗しました")
    return _result(0, "", name) if was_there else _result(2, f"{name}がありません")
