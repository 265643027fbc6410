"""Handing photos in."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form

from gateway_service.callers import CurrentCaller
from gateway_service.schemas import (
    BlurClassesForm,
    BlurForm,
    DetectClassesForm,
    DetectForm,
    Problem,
    TaskCreated,
    options_of,
)
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


@router.post("/detect_faces")
async def detect_faces(caller: CurrentCaller, form: Detect) -> TaskCreated:
    """Find faces."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form, ObjectClass.FACE))


@router.post("/detect_plates")
async def detect_plates(caller: CurrentCaller, form: Detect) -> TaskCreated:
    """Find number plates."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form, ObjectClass.PLATE))


@router.post("/detect")
async def detect(caller: CurrentCaller, form: DetectClasses) -> TaskCreated:
    """Find objects of several classes."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form))


@router.post("/blur_faces")
async def blur_faces(caller: CurrentCaller, form: Blur) -> TaskCreated:
    """Find faces and hide them."""
    return await caller.submit(JobKind.BLUR, form.file, options_of(form, ObjectClass.FACE))


@router.post("/blur_plates")
async def blur_plates(caller: CurrentCaller, form: Blur) -> TaskCreated:
    """Find number plates and hide them."""
    return await caller.submit(JobKind.BLUR, form.file, options_of(form, ObjectClass.PLATE))


@router.post("/blur")
async def blur(caller: CurrentCaller, form: BlurClasses) -> TaskCreated:
    """Find objects of several classes and hide them."""
    return await caller.submit(JobKind.BLUR, form.file, options_of(form))
