"""The handler that runs all steps of a photo in one worker."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.anonymisation import RedactedPhoto
from obscura.anonymisation.detect import check_weights, detection_options, open_photo
from obscura.anonymisation.pipeline import PhotoPipeline, PipelineResult
from obscura.anonymisation.residual_check import outside
from obscura.contract import WHOLE, JobKind, ObjectClass, Step
from obscura.geometry import Box
from obscura.handlers.detection import detector_of
from obscura.handlers.redaction import Opened, Redactor, check_key, picture_key
from obscura.jobs import Claimed, JobRecord
from obscura.settings import Settings
from obscura.worker.service import Handler, Service, WorkerContext

__all__ = ["photo_service"]


def _detection_fields(sighting: PipelineResult) -> dict[str, str]:
    return {f"p:{name.step}": part.model_dump_json(by_alias=True) for name, part in sighting.parts.items()}


def _work(context: WorkerContext, redactor: Redactor, claimed: Claimed) -> Mapping[str, str]:
    """Do what the steps of a split job do, and leave the same fields."""
    record = claimed.record
    detectors = {name: detector_of(context, name) for name in record.options.classes}
    pipeline = PhotoPipeline(
        detectors, detection_options(record.options), lambda: context.extend_lease(claimed)
    )
    data, mask = record.options.parted(context.read(record.photo))
    photo = open_photo(data, context.settings, record.options.frames)
    # A person's boxes are hidden as they are: nothing is looked for before.
    first = PipelineResult(photo) if record.kind is JobKind.REDACT else pipeline.detect(photo)
    fields = _detection_fields(first)
    if record.kind is JobKind.DETECT:
        return fields
    context.extend_lease(claimed)
    redacted, told = redactor.hide(record, Opened(data, photo, mask), first.parts.values())
    fields |= told | _residual_fields(record, pipeline, first, redacted)
    key = picture_key(claimed)
    context.store(key, redacted.data)
    return {"picture": key, **fields}


def _residual_fields(
    record: JobRecord, pipeline: PhotoPipeline, first: PipelineResult, redacted: RedactedPhoto
) -> dict[str, str]:
    """Return what is left open in a finished picture, but for what lies in the zones to spare."""
    zones = [Box(*zone.xyxy) for zone in record.options.keep]
    hidden = redacted.report.hidden_boxes
    found = pipeline.find_residual(first, redacted.shown, hidden, record.options.residual_check)
    return {
        f"r:{name.review_step}": json.dumps(
            [item.model_dump(by_alias=True) for item in outside(items, zones)]
        )
        for name, items in found.items()
    }


def _build(context: WorkerContext) -> Mapping[Step, Handler]:
    for name in ObjectClass:
        detector_of(context, name)
    return {Step.WHOLE: partial(_work, context, Redactor.of(context.settings))}


def _check(settings: Settings) -> None:
    check_key(settings)
    for name in ObjectClass:
        check_weights(settings, name)


def photo_service() -> Service:
    """Return the service that does all steps of a photo at once."""
    return Service(WHOLE, _build, _check)
