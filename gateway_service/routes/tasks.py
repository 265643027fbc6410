"""Routes that submit photos."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form

from gateway_service.schemas import (
    BlurClassesForm,
    BlurForm,
    DetectClassesForm,
    DetectForm,
    Problem,
    TaskAnswer,
    options_of,
)
from gateway_service.tasks.callers import CurrentCaller
from obscura.contract import JobKind, ObjectClass

PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 409, 413, 415, 422, 503)
}
MULTIPART = "multipart/form-data"
router = APIRouter(tags=["photos"], responses={**PROBLEMS})

Detect = Annotated[DetectForm, Form(media_type=MULTIPART)]
DetectClasses = Annotated[DetectClassesForm, Form(media_type=MULTIPART)]
Blur = Annotated[BlurForm, Form(media_type=MULTIPART)]
BlurClasses = Annotated[BlurClassesForm, Form(media_type=MULTIPART)]


@router.post("/detect_faces", response_model_exclude_none=True)
async def detect_faces(caller: CurrentCaller, form: Detect) -> TaskAnswer:
    """Find faces."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form, ObjectClass.FACE))


@router.post("/detect_plates", response_model_exclude_none=True)
async def detect_plates(caller: CurrentCaller, form: Detect) -> TaskAnswer:
    """Find number plates."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form, ObjectClass.PLATE))


@router.post("/detect", response_model_exclude_none=True)
async def detect(caller: CurrentCaller, form: DetectClasses) -> TaskAnswer:
    """Find objects of several classes."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form))


@router.post("/blur_faces", response_model_exclude_none=True)
async def blur_faces(caller: CurrentCaller, form: Blur) -> TaskAnswer:
    """Find faces and hide them."""
    return await caller.submit(JobKind.BLUR, form.file, options_of(form, ObjectClass.FACE), form.mask)


@router.post("/blur_plates", response_model_exclude_none=True)
async def blur_plates(caller: CurrentCaller, form: Blur) -> TaskAnswer:
    """Find number plates and hide them."""
    return await caller.submit(JobKind.BLUR, form.file, options_of(form, ObjectClass.PLATE), form.mask)


@router.post("/blur", response_model_exclude_none=True)
async def blur(caller: CurrentCaller, form: BlurClasses) -> TaskAnswer:
    """Find objects of several classes and hide them."""
    return await caller.submit(JobKind.BLUR, form.file, options_of(form), form.mask)
