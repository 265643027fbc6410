"""Handlers of detection steps and residual checks, for one object class."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.anonymisation.detect import detection_options, find_objects, open_photo
from obscura.anonymisation.residual_check import FinishedPicture, outside
from obscura.contract import ObjectClass, Step
from obscura.detection.extra import ObjectDetector
from obscura.detection.loading import check_weights, load_any
from obscura.errors import ProcessingFailedError
from obscura.geometry import Box
from obscura.imaging.open import as_shown
from obscura.jobs import Claimed
from obscura.worker.service import Handler, Service, WorkerContext, threads

__all__ = ["detection_service", "detector_of"]


def detector_of(context: WorkerContext, class_name: ObjectClass) -> ObjectDetector:
    """Return the detector of ``class_name`` of this process, loading it on first use."""
    if class_name not in context.detectors:
        loaded = tuple(context.detectors.values())
        context.detectors[class_name] = load_any(
            context.settings, class_name, threads(context.settings), loaded
        )
    return context.detectors[class_name]


def _detect(context: WorkerContext, detector: ObjectDetector, claimed: Claimed) -> Mapping[str, str]:
    record = claimed.record
    data, _ = record.options.split_upload(context.read(record.photo))
    photo = open_photo(data, context.settings, record.options.frames)
    result = find_objects(detector, photo, detection_options(record.options))
    return {f"p:{claimed.step}": result.model_dump_json(by_alias=True)}


def _check_residual(context: WorkerContext, detector: ObjectDetector, claimed: Claimed) -> Mapping[str, str]:
    record = claimed.record
    if record.picture is None or record.report is None:
        message = "there is no redacted picture to check"
        raise ProcessingFailedError(message)
    picture = open_photo(context.read(record.picture), context.settings, record.options.frames)
    report = json.loads(record.report)
    hidden = [Box(*region) for region in report["regions"]]
    frames = report.get("frames")
    if frames is not None:
        picture = as_shown(picture, frames["shown"])
        hidden = [
            box.shift(0, number * picture.size.height)
            for box, number in zip(hidden, frames["regions"], strict=True)
        ]
    zones = [Box(*zone.xyxy) for zone in record.options.keep]
    options = detection_options(record.options)
    finished = FinishedPicture(picture, hidden, options, record.options.residual_check)
    first = record.detections.get(ObjectClass(detector.card.class_name).result_name)
    residual = outside(finished.residual(detector, first), zones)
    return {f"r:{claimed.step}": json.dumps([item.model_dump(by_alias=True) for item in residual])}


def detection_service(class_name: ObjectClass) -> Service:
    """Return the service that detects ``class_name`` in photos and in redacted pictures (residual check)."""

    def build(context: WorkerContext) -> Mapping[Step, Handler]:
        detector = detector_of(context, class_name)
        return {
            class_name.step: partial(_detect, context, detector),
            class_name.residual_check_step: partial(_check_residual, context, detector),
        }

    return Service(class_name.task, build, lambda settings: check_weights(settings, class_name))
