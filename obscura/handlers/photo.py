"""Handler of the fused pipeline: detection, redaction and residual check of a photo in one step."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.anonymisation import RedactedPhoto
from obscura.anonymisation.detect import detection_options, open_photo
from obscura.anonymisation.pipeline import PhotoPipeline, PipelineResult
from obscura.anonymisation.residual_check import outside
from obscura.contract import PROCESS_PHOTO, JobKind, ObjectClass, Step
from obscura.detection.loading import check_weights
from obscura.geometry import Box
from obscura.handlers.detection import detector_of
from obscura.handlers.redaction import Redactor, Upload, check_key
from obscura.jobs import Claimed, JobRecord
from obscura.settings import Settings
from obscura.worker.service import Handler, Service, WorkerContext

__all__ = ["photo_service"]


def _detection_fields(result: PipelineResult) -> dict[str, str]:
    return {
        f"p:{name.result_name}": part.model_dump_json(by_alias=True) for name, part in result.parts.items()
    }


def _work(context: WorkerContext, redactor: Redactor, claimed: Claimed) -> Mapping[str, str]:
    """Run all steps of a photo; return the same record fields as the split pipeline."""
    record = claimed.record
    detectors = {name: detector_of(context, name) for name in record.options.classes}
    pipeline = PhotoPipeline(
        detectors, detection_options(record.options), lambda: context.extend_lease(claimed)
    )
    data, mask = record.options.split_upload(context.read(record.photo))
    photo = open_photo(data, context.settings, record.options.frames)
    # The boxes of a redaction job are given, so nothing is detected first.
    first = PipelineResult(photo) if record.kind is JobKind.REDACT else pipeline.detect(photo)
    fields = _detection_fields(first)
    if record.kind is JobKind.DETECT:
        return fields
    context.extend_lease(claimed)
    redacted, report_fields = redactor.redact(record, Upload(data, photo, mask), first.parts.values())
    fields |= report_fields | _residual_fields(record, pipeline, first, redacted)
    key = claimed.result_key
    context.store(key, redacted.data)
    return {"picture": key, **fields}


def _residual_fields(
    record: JobRecord, pipeline: PhotoPipeline, first: PipelineResult, redacted: RedactedPhoto
) -> dict[str, str]:
    """Return the record fields of the residual check, without detections in exclusion zones."""
    zones = [Box(*zone.xyxy) for zone in record.options.keep]
    hidden = redacted.report.hidden_boxes
    found = pipeline.find_residual(first, redacted.shown, hidden, record.options.residual_check)
    return {
        f"r:{name.residual_name}": json.dumps(
            [item.model_dump(by_alias=True) for item in outside(items, zones)]
        )
        for name, items in found.items()
    }


def _build(context: WorkerContext) -> Mapping[Step, Handler]:
    for name in ObjectClass:
        detector_of(context, name)
    return {Step.PROCESS_PHOTO: partial(_work, context, Redactor.of(context.settings))}


def _check(settings: Settings) -> None:
    check_key(settings)
    for name in ObjectClass:
        check_weights(settings, name)


def photo_service() -> Service:
    """Return the service that runs all steps of a photo."""
    return Service(PROCESS_PHOTO, _build, _check)
