"""Serialise a job record as the answer of ``/task_result``."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import structlog

from gateway_service.answers import PictureLink, TaskError, TaskProgress, TaskResult, TaskStatus, VideoLink
from gateway_service.http.dependencies import Gateway
from gateway_service.http.threads import AT_ONCE_BYTES, fetch, run_in_thread
from gateway_service.webhooks.registration import progress_of_webhook
from obscura.contract import (
    RESEARCH_ONLY,
    DetectedObject,
    JobKind,
    LesionResult,
    ObjectClass,
    ResidualCheck,
    by_confidence,
    with_residual_check,
)
from obscura.errors import NoPictureError
from obscura.jobs import JobRecord, JobState
from obscura.jobs.record_fields import FAULTS

log = structlog.get_logger(__name__)
# Names of the boxes in the legacy API.
AREA_NAMES = {ObjectClass.FACE: "facial_area", ObjectClass.PLATE: "plate_area"}


def boxes_by_name(detections: Iterable[DetectedObject]) -> dict[str, dict[str, list[int]]]:
    """Return ``{"face_1": {"facial_area": [x1, y1, x2, y2]}, ...}`` in whole pixels."""
    numbers: Counter[ObjectClass] = Counter()
    named: dict[str, dict[str, list[int]]] = {}
    for item in detections:
        numbers[item.class_name] += 1
        name = f"{item.class_name}_{numbers[item.class_name]}"
        area = AREA_NAMES.get(item.class_name, f"{item.class_name}_area")
        named[name] = {area: [round(edge) for edge in item.xyxy]}
    return named


def report_of(record: JobRecord) -> dict[str, Any] | None:
    """Return the report of a redaction with its residual detections."""
    if record.report is None:
        return None
    # Finished videos get no residual check.
    check = ResidualCheck.OFF if record.kind is JobKind.BLUR_VIDEO else record.options.residual_check
    return with_residual_check(json.loads(record.report), record.residual, check)


def lesions_of(record: JobRecord) -> LesionResult:
    """Return the lesion result of a finished job."""
    return LesionResult.model_validate_json(record.report or "")


async def picture_of(gateway: Gateway, record: JobRecord) -> bytes:
    """Return the bytes of a finished job's picture.

    Raises
    ------
    NoPictureError
        If the job has no picture, or is not finished.
    """
    if record.state is not JobState.DONE or record.picture is None:
        message = "this task has no picture (yet)"
        raise NoPictureError(message)
    return await fetch(gateway.storage, record.picture)


STATUSES: Mapping[JobState, TaskStatus] = MappingProxyType(
    {
        JobState.QUEUED: TaskStatus.PENDING,
        JobState.RUNNING: TaskStatus.RUNNING,
        JobState.DONE: TaskStatus.SUCCESS,
        JobState.FAILED: TaskStatus.FAILURE,
    }
)


def status_of(record: JobRecord) -> TaskStatus:
    """Return the state of a job in the names of the legacy API."""
    return STATUSES[record.state]


def error_of(record: JobRecord) -> TaskError | None:
    """Return the error of a failed job, None for others."""
    if record.state is not JobState.FAILED:
        return None
    return TaskError(code=record.error_code or "", message=record.error_message or "")


def progress_of(record: JobRecord) -> TaskProgress:
    """Return the progress of a job."""
    is_end = record.state.is_end
    progress = 1.0 if is_end else record.progress
    return TaskProgress(
        status=status_of(record),
        progress=progress,
        frames=None if is_end else record.video,
        finished=is_end,
        error=error_of(record),
    )


def _of_video(record: JobRecord) -> TaskResult:
    """Return the answer for a finished video: its URL, not its content."""
    report = report_of(record) or {}
    url = f"/task_result/{record.id}/video"
    link = VideoLink(url=url, media_type=record.media_type or "", bytes=report.pop("bytes"))
    return TaskResult(
        status=TaskStatus.SUCCESS, result=url, video=link, image=report.get("image"), report=report
    )


async def task_result_of(gateway: Gateway, record: JobRecord, *, embed: bool = True) -> TaskResult:
    """Return the answer for a job; a job with an unreadable record is marked as failed.

    Without ``embed`` the answer has the URL of a picture instead of its base64 text.
    """
    try:
        result = await _serialise(gateway, record, embed=embed)
    except FAULTS:
        log.warning("record_unreadable", request_id=record.request_id)
        record = await gateway.job_store.fail_unreadable(record.id)
        result = await _serialise(gateway, record, embed=embed)
    if record.has_webhook:
        result.webhook = await progress_of_webhook(gateway, f"task:{record.id}")
    return result


async def _serialise(gateway: Gateway, record: JobRecord, *, embed: bool) -> TaskResult:
    if record.state is JobState.QUEUED:
        return TaskResult(status=TaskStatus.PENDING)
    if record.state is JobState.RUNNING:
        return TaskResult(status=TaskStatus.RUNNING, progress=record.progress, frames=record.video)
    if record.state is JobState.FAILED:
        return TaskResult(status=TaskStatus.FAILURE, error=error_of(record))
    if record.kind is JobKind.LESIONS:
        lesions = lesions_of(record)
        return TaskResult(
            status=TaskStatus.SUCCESS,
            result=lesions.rows(),
            image=lesions.image,
            model=lesions.model,
            lesions=lesions,
            notice=RESEARCH_ONLY,
        )
    if record.kind is JobKind.BLUR_VIDEO:
        return _of_video(record)
    detections = by_confidence(record.detections.values())
    result: Any = None
    link: PictureLink | None = None
    if record.kind is JobKind.DETECT:
        result = boxes_by_name(detections)
    elif embed:
        picture = await picture_of(gateway, record)
        encode = partial(base64.b64encode, picture)
        result = (await run_in_thread(encode, quick=len(picture) <= AT_ONCE_BYTES)).decode()
    else:
        link = PictureLink(url=f"/task_result/{record.id}/image", media_type=record.media_type or "")
    parts = [
        record.detections[name]
        for name in [item.result_name for item in record.options.classes]
        if name in record.detections
    ]
    models = tuple(part.model for part in parts)
    report = report_of(record)
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
