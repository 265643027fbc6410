"""The service that does all steps of a photo at once: the cheapest way where detection runs on CPUs."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.anonymisation.detect import check_weights, detection_options, open_photo
from obscura.anonymisation.pipeline import Looker, Sighting
from obscura.anonymisation.residual_check import outside
from obscura.contract import WHOLE, JobKind, ObjectClass, Step
from obscura.geometry import Box
from obscura.handlers.detection import detector_of
from obscura.handlers.redaction import Hiding, Opened, check_key, picture_key
from obscura.jobs import Claimed
from obscura.settings import Settings
from obscura.worker.service import Handler, Service, Tools

__all__ = ["photo_service"]


def _detection_fields(sighting: Sighting) -> dict[str, str]:
    return {f"p:{name.step}": part.model_dump_json(by_alias=True) for name, part in sighting.parts.items()}


def _work(tools: Tools, hiding: Hiding, claimed: Claimed) -> Mapping[str, str]:
    """Do what the steps of a split job do, and leave the same fields."""
    row = claimed.row
    classes = () if row.kind is JobKind.REDACT else row.options.classes
    detectors = {name: detector_of(tools, name) for name in classes}
    looker = Looker(detectors, detection_options(row.options), lambda: tools.hold(claimed))
    data, mask = row.options.parted(tools.read(row.photo))
    photo = open_photo(data, tools.settings, row.options.frames)
    first = looker.look(photo)
    fields = _detection_fields(first)
    if row.kind is JobKind.DETECT:
        return fields
    tools.hold(claimed)
    redacted, told = hiding.hide(row, Opened(data, photo, mask), first.parts.values())
    fields |= told
    if classes and row.options.review:
        hidden = redacted.report.hidden_boxes
        zones = [Box(*zone.xyxy) for zone in row.options.keep]
        for name, suspects in looker.look_again(first, redacted.shown, hidden).items():
            shown = [item.model_dump(by_alias=True) for item in outside(suspects, zones)]
            fields[f"r:{name.review_step}"] = json.dumps(shown)
    key = picture_key(claimed)
    tools.store(key, redacted.data)
    return {"picture": key, **fields}


def _build(tools: Tools) -> Mapping[Step, Handler]:
    for name in ObjectClass:
        detector_of(tools, name)
    return {Step.WHOLE: partial(_work, tools, Hiding.of(tools.settings))}


def _check(settings: Settings) -> None:
    check_key(settings)
    for name in ObjectClass:
        check_weights(settings, name)


def photo_service() -> Service:
    """Return the service that does all steps of a photo at once."""
    return Service(WHOLE, _build, _check)
