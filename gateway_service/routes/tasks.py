"""Handing photos in."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header

from gateway_service.dependencies import CurrentGateway, RequestId
from gateway_service.schemas import (
    BlurClassesForm,
    BlurForm,
    DetectClassesForm,
    DetectForm,
    Problem,
    TaskCreated,
    options_of,
)
from gateway_service.submission import Submission, submit
from obscura.contract import JobKind, ObjectClass

PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 409, 413, 415, 422, 503)
}
router = APIRouter(tags=["photos"], responses={**PROBLEMS})

IdempotencyKey = Annotated[str, Header(description="the same key and body return the same task")]
MULTIPART = "multipart/form-data"


@router.post("/detect_faces")
async def detect_faces(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[DetectForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Find faces."""
    options = options_of(form, ObjectClass.FACE)
    wanted = Submission(JobKind.DETECT, options, request_id, idempotency_key)
    return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))


@router.post("/detect_plates")
async def detect_plates(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[DetectForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Find number plates."""
    options = options_of(form, ObjectClass.PLATE)
    wanted = Submission(JobKind.DETECT, options, request_id, idempotency_key)
    return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))


@router.post("/detect")
async def detect(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[DetectClassesForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Find objects of several classes."""
    wanted = Submission(JobKind.DETECT, options_of(form), request_id, idempotency_key)
    return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))


@router.post("/blur_faces")
async def blur_faces(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[BlurForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Find faces and hide them."""
    options = options_of(form, ObjectClass.FACE)
    wanted = Submission(JobKind.BLUR, options, request_id, idempotency_key)
    return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))


@router.post("/blur_plates")
async def blur_plates(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[BlurForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Find number plates and hide them."""
    options = options_of(form, ObjectClass.PLATE)
    wanted = Submission(JobKind.BLUR, options, request_id, idempotency_key)
    return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))


@router.post("/blur")
async def blur(
    gateway: CurrentGateway,
    request_id: RequestId,
    form: Annotated[BlurClassesForm, Form(media_type=MULTIPART)],
    idempotency_key: IdempotencyKey = "",
) -> TaskCreated:
    """Find objects of several classes and hide them."""
    wanted = Submission(JobKind.BLUR, options_of(form), request_id, idempotency_key)
    return TaskCreated(task_id=await submit(gateway, form.file.file, wanted))
