"""From a job's row to the answer of ``/task_result``."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from gateway_service.dependencies import Gateway
from gateway_service.schemas import PictureLink, TaskError, TaskProgress, TaskResult, TaskStatus, VideoLink
from gateway_service.turns import AT_ONCE_BYTES, fetch, turn
from gateway_service.webhooks import progress_of_webhook
from obscura.contract import (
    RESEARCH_ONLY,
    DetectedObject,
    JobKind,
    LesionPart,
    ObjectClass,
    reviewed,
    surest_first,
)
from obscura.errors import NoPictureError
from obscura.jobs import JobRow, JobState

# The seed's own word for a face's box, and its twin.
AREA_NAMES = {ObjectClass.FACE: "facial_area", ObjectClass.PLATE: "plate_area"}


def boxes_by_name(detections: Iterable[DetectedObject]) -> dict[str, dict[str, list[int]]]:
    """Return ``{"face_1": {"facial_area": [x1, y1, x2, y2]}, ...}`` in whole pixels."""
    numbers: Counter[ObjectClass] = Counter()
    named: dict[str, dict[str, list[int]]] = {}
    for item in detections:
        numbers[item.class_name] += 1
        name = f"{item.class_name}_{numbers[item.class_name]}"
        named[name] = {AREA_NAMES[item.class_name]: [round(edge) for edge in item.xyxy]}
    return named


def report_of(row: JobRow) -> dict[str, Any] | None:
    """Return the report of a redaction, with what the second look found."""
    if row.report is None:
        return None
    return reviewed(json.loads(row.report), row.suspects)


def lesions_of(row: JobRow) -> LesionPart:
    """Return what was found in a mammogram whose job is done."""
    return LesionPart.model_validate_json(row.report or "")


async def picture_of(gateway: Gateway, row: JobRow) -> bytes:
    """Return the bytes of a finished job's picture.

    Raises
    ------
    NoPictureError
        If the job has none.
    """
    if row.state is not JobState.DONE or row.picture is None:
        message = "this task has no picture (yet)"
        raise NoPictureError(message)
    return await fetch(gateway.storage, row.picture)


STATUSES: Mapping[JobState, TaskStatus] = MappingProxyType(
    {
        JobState.QUEUED: TaskStatus.PENDING,
        JobState.RUNNING: TaskStatus.RUNNING,
        JobState.DONE: TaskStatus.SUCCESS,
        JobState.FAILED: TaskStatus.FAILURE,
    }
)


def status_of(row: JobRow) -> TaskStatus:
    """Return where a job stands, in the seed's words."""
    return STATUSES[row.state]


def error_of(row: JobRow) -> TaskError | None:
    """Return why a job failed; None where it has not."""
    if row.state is not JobState.FAILED:
        return None
    return TaskError(code=row.error_code or "", message=row.error_message or "")


def progress_of(row: JobRow) -> TaskProgress:
    """Return how far a job is."""
    is_end = row.state.is_end
    progress = 1.0 if is_end else row.progress
    return TaskProgress(
        status=status_of(row),
        progress=progress,
        frames=None if is_end else row.video,
        finished=is_end,
        error=error_of(row),
    )


def _of_video(row: JobRow) -> TaskResult:
    """Return the answer for a video that is done: where it is, never itself."""
    report = report_of(row) or {}
    url = f"/task_result/{row.id}/video"
    link = VideoLink(url=url, media_type=row.media_type or "", bytes=report.pop("bytes"))
    return TaskResult(
        status=TaskStatus.SUCCESS, result=url, video=link, image=report.get("image"), report=report
    )


async def answer(gateway: Gateway, row: JobRow, *, embed: bool = True) -> TaskResult:
    """Return what a client sees of ``row``; ``embed=False`` says where a picture is instead of giving it."""
    said = await _answer(gateway, row, embed=embed)
    if row.has_webhook:
        said.webhook = await progress_of_webhook(gateway, f"task:{row.id}")
    return said


async def _answer(gateway: Gateway, row: JobRow, *, embed: bool) -> TaskResult:
    if row.state is JobState.QUEUED:
        return TaskResult(status=TaskStatus.PENDING)
    if row.state is JobState.RUNNING:
        return TaskResult(status=TaskStatus.RUNNING, progress=row.progress, frames=row.video)
    if row.state is JobState.FAILED:
        return TaskResult(status=TaskStatus.FAILURE, error=error_of(row))
    if row.kind is JobKind.LESIONS:
        lesions = lesions_of(row)
        return TaskResult(
            status=TaskStatus.SUCCESS,
            result=lesions.rows(),
            image=lesions.image,
            model=lesions.model,
            lesions=lesions,
            notice=RESEARCH_ONLY,
        )
    if row.kind is JobKind.BLUR_VIDEO:
        return _of_video(row)
    detections = surest_first(row.parts.values())
    result: Any = None
    link: PictureLink | None = None
    if row.kind is JobKind.DETECT:
        result = boxes_by_name(detections)
    elif embed:
        picture = await picture_of(gateway, row)
        encode = partial(base64.b64encode, picture)
        result = (await turn(encode, quick=len(picture) <= AT_ONCE_BYTES)).decode()
    else:
        link = PictureLink(url=f"/task_result/{row.id}/image", media_type=row.media_type or "")
    parts = [row.parts[step] for step in [item.step for item in row.options.classes] if step in row.parts]
    models = tuple(part.model for part in parts)
    report = report_of(row)
    manifest = report.pop("manifest", None) if report else None
    return TaskResult(
        status=TaskStatus.SUCCESS,
        result=result,
        picture=link,
        detections=detections,
        image=parts[0].image if parts else (report or {}).get("image"),
        model=models[0] if len(models) == 1 else None,
        models=models or None,
        report=report,
        manifest=manifest,
    )
