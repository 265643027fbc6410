"""Routes that submit photos."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from gateway_service.answers import Problem, TaskAnswer
from gateway_service.forms import BlurClassesForm, BlurForm, DetectClassesForm, DetectForm, options_of
from gateway_service.tasks.callers import CurrentCaller
from obscura.contract import JobKind, ObjectClass

PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 409, 413, 415, 422, 503)
}
PICTURE: Mapping[int | str, dict[str, Any]] = {
    200: {
        "description": "the task; or the picture itself, where the header Accept asks for an image type",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    202: {"description": "the picture was asked for and is not ready in time; Location is its address"},
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
async def detect_photo(caller: CurrentCaller, form: DetectClasses) -> TaskAnswer:
    """Find objects of several classes."""
    return await caller.submit(JobKind.DETECT, form.file, options_of(form))


@router.post(
    "/blur_faces", response_model=TaskAnswer, response_model_exclude_none=True, responses={**PICTURE}
)
async def blur_faces(caller: CurrentCaller, form: Blur) -> TaskAnswer | Response:
    """Find faces and hide them."""
    return await caller.submit_for_picture(
        JobKind.BLUR, form.file, options_of(form, ObjectClass.FACE), form.mask
    )


@router.post(
    "/blur_plates", response_model=TaskAnswer, response_model_exclude_none=True, responses={**PICTURE}
)
async def blur_plates(caller: CurrentCaller, form: Blur) -> TaskAnswer | Response:
    """Find number plates and hide them."""
    return await caller.submit_for_picture(
        JobKind.BLUR, form.file, options_of(form, ObjectClass.PLATE), form.mask
    )


@router.post("/blur", response_model=TaskAnswer, response_model_exclude_none=True, responses={**PICTURE})
async def blur_photo(caller: CurrentCaller, form: BlurClasses) -> TaskAnswer | Response:
    """Find objects of several classes and hide them."""
    return await caller.submit_for_picture(JobKind.BLUR, form.file, options_of(form), form.mask)
