"""The object-masking compatibility API for mammograms: answers ``state`` and ``result``, synchronous.

Every answer has the notice: research use, not a medical device.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from gateway_service.http.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.openapi.forms import BINARY, MAMMOGRAMS
from gateway_service.results.serialisers import lesions_of, picture_of
from gateway_service.routes.results import forget
from gateway_service.tasks.submission import Submission, submit
from obscura.contract import RESEARCH_ONLY, JobKind, JobOptions, LesionOptions
from obscura.errors import (
    InvalidOptionError,
    ObscuraError,
    PhotoError,
    PhotoTooLargeError,
    TooManyPixelsError,
)
from obscura.jobs import JobRecord, JobState
from obscura.observability import catalogue, count

PATH: Final = "/detection/BreastCalcify"
MOST_IMAGES: Final = 64
NOTICE_HEADER: Final = "x-notice"
router = APIRouter(tags=["medical"])
log = structlog.get_logger(__name__)


class State(IntEnum):
    """State numbers of the object-masking API."""

    OK = 0
    NO_IMAGES = 1
    UNUSABLE = 2
    TOO_LARGE = 3
    FAILED = 4


NO_IMAGES_TEXT: Final = "no images: send at least one file in the field images"
TOO_LARGE_TEXT: Final = "the upload is larger than this server accepts"
FAILED_TEXT: Final = "something went wrong on this server"
_TOO_LARGE: Final = frozenset({PhotoTooLargeError.code, TooManyPixelsError.code})


@dataclass(frozen=True)
class _Outcome:
    """The result of one file: its job record, or the reason why there is none."""

    name: str
    state: State
    message: str = ""
    record: JobRecord | None = None

    def entry(self) -> dict[str, Any]:
        """Return its entry in ``results``."""
        if self.record is None:
            return {"name": self.name, "state": self.state, "result": self.message}
        part = lesions_of(self.record)
        details = part.model_dump(mode="json", exclude={"notice"})
        return {"name": self.name, "state": self.state, "result": part.rows(), **details}


def _status(state: State) -> int:
    match state:
        case State.OK:
            return 200
        case State.FAILED:
            return 500
        case _:
            return 400


def _refusal(state: State, message: str) -> JSONResponse:
    content = {"state": state, "result": message, "results": [], "notice": RESEARCH_ONLY}
    return JSONResponse(content, _status(state), {NOTICE_HEADER: RESEARCH_ONLY})


def too_large() -> JSONResponse:
    """Return the answer to a body that is too large."""
    return _refusal(State.TOO_LARGE, TOO_LARGE_TEXT)


def _state_of(code: str | None) -> State:
    if code in _TOO_LARGE:
        return State.TOO_LARGE
    return State.UNUSABLE if code in {kind.code for kind in PhotoError.__subclasses__()} else State.FAILED


def _images(form: FormData) -> list[UploadFile]:
    """Return the files of the field ``images``, without the empty one that browsers send for none."""
    files = [item for item in form.getlist("images") if isinstance(item, UploadFile)]
    return [item for item in files if item.filename or item.size]


def _pixel_mm(form: FormData) -> float | None:
    """Return the field ``pixel_mm``.

    Raises
    ------
    InvalidOptionError
        If it is not a number from 0.01 to 1.
    """
    text = form.get("pixel_mm")
    if text is None or text == "":
        return None
    try:
        return LesionOptions.model_validate({"pixel_mm": text}).pixel_mm
    except ValueError as error:
        message = "pixel_mm must be a number from 0.01 to 1"
        raise InvalidOptionError(message) from error


async def _detect(gateway: Gateway, upload: UploadFile, wanted: Submission) -> _Outcome:
    """Enter a job for one file and wait for its end; the caller erases it."""
    name = upload.filename or ""
    try:
        job_id = (await submit(gateway, upload.file, wanted)).job_id
    except ObscuraError as error:
        return _failed(name, error.code, error.message)
    record: JobRecord | None = None
    try:
        record = await gateway.events.wait_for_end(job_id, float(gateway.settings.hard_limit_s))
    except ObscuraError as error:
        return _failed(name, error.code, error.message)
    finally:
        if record is None or record.state is not JobState.DONE:
            await asyncio.shield(forget(gateway, job_id))
    if record.state is not JobState.DONE:
        return _failed(name, record.error_code, record.error_message or "not finished in time")
    return _Outcome(name, State.OK, record=record)


def _failed(name: str, code: str | None, message: str) -> _Outcome:
    count(catalogue.REFUSALS, code or ObscuraError.code)
    state = _state_of(code)
    if state is State.FAILED:
        log.warning("lesions_failed", code=code)
        message = FAILED_TEXT
    return _Outcome(name, state, message)


async def _answer(gateway: Gateway, outcomes: Sequence[_Outcome], *, debug: bool, as_text: bool) -> Response:
    """Return the answer: state and result of the first file, and ``results`` of all."""
    first = outcomes[0]
    headers = {NOTICE_HEADER: RESEARCH_ONLY}
    if debug and first.record is not None:
        picture = await picture_of(gateway, first.record)
        return Response(picture, media_type=first.record.media_type, headers=headers)
    entries = [item.entry() for item in outcomes]
    result = entries[0]["result"]
    if as_text and first.state is State.OK:
        result = json.dumps(result)
    content = {"state": first.state, "result": result, "results": entries, "notice": RESEARCH_ONLY}
    return JSONResponse(content, _status(first.state), headers)


FORM: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "title": "MammogramsForm",
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST_IMAGES,
                        "items": {"type": "string", "format": "binary"},
                    },
                    "pixel_mm": {"type": "number", "minimum": 0.01, "maximum": 1.0},
                },
            },
            "encoding": {"images": {"contentType": MAMMOGRAMS}},
        }
    },
}


@router.post(
    PATH,
    openapi_extra={"requestBody": FORM},
    response_class=JSONResponse,
    responses={200: {"content": {"application/json": {}, "image/*": BINARY}}, 400: {}, 500: {}},
)
async def mask_calcifications(request: Request, gateway: CurrentGateway, request_id: RequestId) -> Response:
    """Find calcifications in mammograms (``images``). Research use, not a medical device.

    ``?debug`` answers with the first picture and red boxes on it, ``?result=string`` with ``result`` as text.
    """
    try:
        form = await request.form(max_files=MOST_IMAGES, max_fields=64)
    except HTTPException as error:
        return too_large() if error.status_code == 413 else _refusal(State.NO_IMAGES, NO_IMAGES_TEXT)  # noqa: PLR2004 - HTTP's own number
    except OSError as error:
        log.warning("lesions_failed", error=type(error).__name__)
        return _refusal(State.FAILED, FAILED_TEXT)
    try:
        return await _serve(request, gateway, form, request_id)
    finally:
        await form.close()


async def _serve(request: Request, gateway: Gateway, form: FormData, request_id: str) -> Response:
    query = request.query_params
    debug = "debug" in query
    files = _images(form)
    if not files:
        return _refusal(State.NO_IMAGES, NO_IMAGES_TEXT)
    try:
        pixel_mm = _pixel_mm(form)
    except InvalidOptionError as error:
        return _refusal(State.UNUSABLE, error.message)
    # Only the first picture is drawn.
    wanted = [
        Submission(
            JobKind.LESIONS,
            JobOptions(classes=(), lesions=LesionOptions(pixel_mm=pixel_mm, debug=debug and number == 0)),
            request_id,
        )
        for number in range(len(files))
    ]
    outcomes = await asyncio.gather(
        *(_detect(gateway, file, item) for file, item in zip(files, wanted, strict=True))
    )
    try:
        return await _answer(gateway, outcomes, debug=debug, as_text=query.get("result") == "string")
    except ObscuraError as error:
        log.warning("lesions_failed", code=error.code)
        return _refusal(State.FAILED, FAILED_TEXT)
    finally:
        # The caller does not know the ids of these jobs, so their objects are erased.
        done = [item.record.id for item in outcomes if item.record is not None]
        await asyncio.shield(asyncio.gather(*(forget(gateway, job_id) for job_id in done)))
