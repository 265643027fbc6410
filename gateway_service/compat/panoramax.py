"""The blurring service of a Panoramax instance: ``POST /blur/``, synchronous for its caller.

Source: the caller, ``createBlurredHDPicture`` of the PyPI package geovisio 2.15.1. It sends the part
``picture`` and asks for ``multipart/form-data``: the part ``image`` is the picture, ``metadata`` what was
found in it. Callers of earlier versions get the picture alone, with the header ``x-sgblur``. Nothing is
kept after the answer.
"""

import asyncio
import json
import secrets
from http import HTTPStatus
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from gateway_service.http.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.http.problems import status_of, status_of_code
from gateway_service.openapi.forms import BINARY, PICTURES
from gateway_service.results.serialisers import picture_of
from gateway_service.routes.results import forget
from gateway_service.tasks.submission import Submission, submit
from obscura.contract import DetectionResult, JobKind, JobOptions, MetadataPolicy, OutputFormat
from obscura.errors import MissingFieldError, ObscuraError, ProcessingTimedOutError
from obscura.jobs import JobRecord, JobState
from obscura.observability import catalogue, count

__all__ = ["PATH", "router", "too_large"]

PATH: Final = "/blur/"
SERVICE: Final = "Obscura"
MULTIPART: Final = "multipart/form-data"
TAG: Final = "obscura|hidden"
MAX_HEADER: Final = 4000
"""Characters of the header ``x-sgblur``: proxies take about 4,096 bytes of a line."""
KEEP_TEXT: Final = "whether what is hidden is kept to be shown later; this server keeps nothing: not 1"
KEEP_NOTHING: Final = frozenset({"", "0", "false"})
FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "title": "PanoramaxForm",
                    "type": "object",
                    "required": ["picture"],
                    "properties": {"picture": {**BINARY["schema"], "description": "the photo"}},
                },
                "encoding": {"picture": {"contentType": PICTURES}},
            }
        },
    }
}
DETAIL: Final[dict[str, Any]] = {
    "content": {
        "application/json": {
            "schema": {
                "title": "PanoramaxProblem",
                "type": "object",
                "required": ["detail"],
                "properties": {"detail": {"type": "string"}},
            }
        }
    },
}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "the JPEG; or where Accept asks for it a form with the parts image and metadata",
        "content": {"image/jpeg": BINARY, MULTIPART: {}},
    },
    400: {"description": "no photo, or one that cannot be used", **DETAIL},
    503: {"description": "a part of the system is away or full", **DETAIL},
}
router = APIRouter(tags=["panoramax"])
log = structlog.get_logger(__name__)


def _detail(message: str, status: int = HTTPStatus.BAD_REQUEST) -> JSONResponse:
    return JSONResponse({"detail": message}, status)


def too_large() -> JSONResponse:
    """Return the answer to a body that is larger than any photo may be."""
    return _detail("the upload is larger than this server accepts")


def _refusal(error: ObscuraError) -> JSONResponse:
    """Return the answer to an error: 400 for what the caller can change, else the status that it has."""
    count(catalogue.REFUSALS, error.code)
    status = status_of(error)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _detail(error.message)
    log.warning("panoramax_failed", code=error.code)
    return _detail(error.message, status)


@router.post(PATH, response_class=Response, responses=ANSWERS, openapi_extra=FORM)
async def blur_panoramax_picture(
    request: Request,
    gateway: CurrentGateway,
    request_id: RequestId,
    keep: Annotated[str, Query(description=KEEP_TEXT, json_schema_extra={"enum": ["0", "false", ""]})] = "0",
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Find faces and number plates in ``picture`` and hide them, as a Panoramax instance asks for it."""
    if keep not in KEEP_NOTHING:
        return _detail("keep: this server does not keep what it hides")
    try:
        form = await request.form(max_files=4, max_fields=16)
    except HTTPException as error:
        return _detail(str(error.__cause__ or "the request body cannot be parsed"))
    try:
        return await _blur(gateway, form, request_id, is_multipart=MULTIPART in accept.lower())
    except ObscuraError as error:
        return _refusal(error)
    finally:
        await form.close()


async def _blur(gateway: Gateway, form: FormData, request_id: str, *, is_multipart: bool) -> Response:
    """Have the form's photo redacted and answer with the picture; nothing is left of it afterwards."""
    photos = form.getlist("picture")
    if len(photos) != 1 or not isinstance(photos[0], UploadFile):
        message = "send one file in the field picture"
        raise MissingFieldError(message)
    options = JobOptions(output=OutputFormat.JPEG, metadata=MetadataPolicy.KEEP_SAFE)
    wanted = Submission(JobKind.BLUR, options, request_id)
    job_id = (await submit(gateway, photos[0].file, wanted)).job_id
    try:
        record = await gateway.events.wait_for_end(job_id, float(gateway.settings.hard_limit_s))
        return await _answer(gateway, record, is_multipart=is_multipart)
    finally:
        # Also when the caller hangs up.
        await asyncio.shield(forget(gateway, job_id))


async def _answer(gateway: Gateway, record: JobRecord, *, is_multipart: bool) -> Response:
    if record.state is JobState.FAILED:
        message = record.error_message or "the photo could not be worked on"
        status = status_of_code(record.error_code or "")
        return _detail(message, status if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400)
    if record.state is not JobState.DONE:
        message = "the photo was not ready in time"
        raise ProcessingTimedOutError(message)
    picture = await picture_of(gateway, record)
    answer = metadata_of(record.id, tuple(record.detections.values()))
    if not is_multipart:
        return Response(picture, media_type="image/jpeg", headers={"x-sgblur": header_of(answer)})
    boundary = secrets.token_hex(16)
    body = form_of(boundary, picture, json.dumps(answer).encode())
    return Response(body, headers={"content-type": f"{MULTIPART}; boundary={boundary}"})


def metadata_of(job_id: str, parts: tuple[DetectionResult, ...]) -> dict[str, Any]:
    """Return what was found, as Panoramax reads it: in whole pixels of the upright picture."""
    info: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for part in parts:
        model = f"{SERVICE}-{part.model.name}/{part.model.version}"
        for item in part.detections:
            name, confidence = item.class_name.value, round(item.confidence, 3)
            shape = [round(edge) for edge in item.xyxy]
            width, height = shape[2] - shape[0], shape[3] - shape[1]
            info.append({"class": name, "confidence": confidence, "xywh": [*shape[:2], width, height]})
            qualified = f"[{TAG}={name}]"
            semantics = [
                {"key": TAG, "value": name},
                {"key": f"detection_model{qualified}", "value": model},
                {"key": f"detection_confidence{qualified}", "value": f"{confidence:.3f}"},
            ]
            annotations.append({"shape": shape, "semantics": semantics})
    return {"info": info, "annotations": annotations, "service_name": SERVICE, "blurring_id": job_id}


def header_of(answer: dict[str, Any]) -> str:
    """Return what fits of the metadata into a header: the surest of what was found."""
    info = sorted(answer["info"], key=lambda item: -item["confidence"])
    while True:
        short = {"info": info, "service_name": SERVICE, "blurring_id": answer["blurring_id"]}
        text = json.dumps(short, separators=(",", ":"))
        if len(text) <= MAX_HEADER:
            return text
        info = info[: len(info) * 3 // 4]


def form_of(boundary: str, picture: bytes, metadata: bytes) -> bytes:
    """Return a form of two parts, ``image`` and ``metadata`` (RFC 7578)."""
    image_head = 'form-data; name="image"; filename="picture.jpg"\r\nContent-Type: image/jpeg'
    metadata_head = 'form-data; name="metadata"\r\nContent-Type: application/json'
    pieces = [
        f"--{boundary}\r\nContent-Disposition: {image_head}\r\n\r\n".encode(),
        picture,
        f"\r\n--{boundary}\r\nContent-Disposition: {metadata_head}\r\n\r\n".encode(),
        metadata,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(pieces)
