"""The service that finds one class of objects: the same for faces and for plates."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.contract import ObjectClass, Step
from obscura.detection.detector import Detector
from obscura.errors import ProcessingFailedError
from obscura.finding import check_weights, detection_options, find_objects, load_for, open_photo
from obscura.geometry import Box
from obscura.imaging.photo import as_shown
from obscura.jobs import Claimed
from obscura.reviewing import FinishedPicture, outside
from obscura.service import Handler, Service, Tools, threads

__all__ = ["detection_service", "detector_of"]


def detector_of(tools: Tools, class_name: ObjectClass) -> Detector:
    """Return this process's detector of ``class_name``, loaded when it is first asked for."""
    if class_name not in tools.detectors:
        loaded = tuple(tools.detectors.values())
        tools.detectors[class_name] = load_for(tools.settings, class_name, threads(tools.settings), loaded)
    return tools.detectors[class_name]


def _detect(tools: Tools, detector: Detector, claimed: Claimed) -> Mapping[str, str]:
    row = claimed.row
    data, _ = row.options.parted(tools.read(row.photo))
    photo = open_photo(data, tools.settings, row.options.frames)
    part = find_objects(detector, photo, detection_options(row.options))
    return {f"p:{claimed.step}": part.model_dump_json(by_alias=True)}


def _review(tools: Tools, detector: Detector, claimed: Claimed) -> Mapping[str, str]:
    row = claimed.row
    if row.picture is None or row.report is None:
        message = "there is no redacted picture to check"
        raise ProcessingFailedError(message)
    picture = open_photo(tools.read(row.picture), tools.settings, row.options.frames)
    report = json.loads(row.report)
    hidden = [Box(*region) for region in report["regions"]]
    frames = report.get("frames")
    if frames is not None:
        picture = as_shown(picture, frames["shown"])
        hidden = [
            box.shift(0, number * picture.size.height)
            for box, number in zip(hidden, frames["regions"], strict=True)
        ]
    zones = [Box(*zone.xyxy) for zone in row.options.keep]
    options = detection_options(row.options)
    finished = FinishedPicture(picture, hidden, options, row.options.residual_check)
    first = row.parts.get(ObjectClass(detector.card.class_name).step)
    suspects = outside(finished.residual(detector, first), zones)
    return {f"r:{claimed.step}": json.dumps([item.model_dump(by_alias=True) for item in suspects])}


def detection_service(class_name: ObjectClass) -> Service:
    """Return the service that finds ``class_name``, and looks for it again in what was redacted."""

    def build(tools: Tools) -> Mapping[Step, Handler]:
        detector = detector_of(tools, class_name)
        return {
            class_name.step: partial(_detect, tools, detector),
            class_name.review_step: partial(_review, tools, detector),
        }

    return Service(class_name.task, build, lambda settings: check_weights(settings, class_name))
