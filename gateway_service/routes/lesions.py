"""Routes of lesion detection. Research use, not a medical device."""

from typing import Annotated, Final

from fastapi import APIRouter, Form
from pydantic import BaseModel

from gateway_service.answers import LesionTaskCreated, TaskResult
from gateway_service.forms import LesionForm
from gateway_service.openapi.forms import MAMMOGRAMS
from gateway_service.routes.tasks import MULTIPART, PROBLEMS
from gateway_service.tasks.callers import CurrentCaller
from obscura.contract import RESEARCH_ONLY, JobKind, JobOptions, LesionOptions

PATH: Final = "/detect_lesions"
FILES: Final = {"content": {MULTIPART: {"encoding": {"file": {"contentType": MAMMOGRAMS}}}}}
router = APIRouter(tags=["medical"])


class DetectorInfo(BaseModel):
    """One detector of the object-masking API."""

    name: str
    path: str
    method: str
    modality: str
    finds: str
    formats: tuple[str, ...]
    notice: str = RESEARCH_ONLY


class Detectors(BaseModel):
    """The available detectors."""

    detectors: tuple[DetectorInfo, ...]
    notice: str = RESEARCH_ONLY


CALCIFICATIONS: Final = DetectorInfo(
    name="BreastCalcify",
    path="/detection/BreastCalcify",
    method="POST",
    modality="mammography",
    finds="calcifications",
    formats=("DICOM", "PNG", "TIFF", "JPEG"),
)


@router.get("/detection")
async def list_detectors() -> Detectors:
    """List the detectors of the object-masking API."""
    return Detectors(detectors=(CALCIFICATIONS,))


@router.post(
    PATH,
    responses={**PROBLEMS},
    response_model_exclude_none=True,
    openapi_extra={"requestBody": FILES},
)
async def detect_lesions(
    caller: CurrentCaller, form: Annotated[LesionForm, Form(media_type=MULTIPART)]
) -> LesionTaskCreated | TaskResult:
    """Find calcifications in a mammogram. Research use, not a medical device."""
    given = form.model_dump(include={"pixel_mm", "min_score", "debug"}, exclude_none=True)
    asked = form.model_dump(include={"priority", "webhook"}, exclude_none=True)
    options = JobOptions(classes=(), lesions=LesionOptions(**given), **asked)
    created = await caller.submit(JobKind.LESIONS, form.file, options)
    if isinstance(created, TaskResult):
        return created
    return LesionTaskCreated(task_id=created.task_id)
