"""The service that does all steps of a photo at once: the cheapest way where detection runs on CPUs."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.anonymisation import RedactedPhoto
from obscura.contract import WHOLE, JobKind, ObjectClass, Step
from obscura.detection_worker import detector_of
from obscura.finding import check_weights, detection_options, open_photo
from obscura.geometry import Box
from obscura.jobs import Claimed, JobRow
from obscura.redaction_worker import Hiding, Opened, check_key, picture_key
from obscura.reviewing import outside
from obscura.service import Handler, Service, Tools
from obscura.settings import Settings
from obscura.whole import Looker, Sighting

__all__ = ["photo_service"]


def _detection_fields(sighting: Sighting) -> dict[str, str]:
    return {f"p:{name.step}": part.model_dump_json(by_alias=True) for name, part in sighting.parts.items()}


def _work(tools: Tools, hiding: Hiding, claimed: Claimed) -> Mapping[str, str]:
    """Do what the steps of a split job do, and leave the same fields."""
    row = claimed.row
    detectors = {name: detector_of(tools, name) for name in row.options.classes}
    looker = Looker(detectors, detection_options(row.options), lambda: tools.hold(claimed))
    data, mask = row.options.parted(tools.read(row.photo))
    photo = open_photo(data, tools.settings, row.options.frames)
    # A person's boxes are hidden as they are: nothing is looked for before.
    first = Sighting(photo) if row.kind is JobKind.REDACT else looker.look(photo)
    fields = _detection_fields(first)
    if row.kind is JobKind.DETECT:
        return fields
    tools.hold(claimed)
    redacted, told = hiding.hide(row, Opened(data, photo, mask), first.parts.values())
    fields |= told | _residual_fields(row, looker, first, redacted)
    key = picture_key(claimed)
    tools.store(key, redacted.data)
    return {"picture": key, **fields}


def _residual_fields(row: JobRow, looker: Looker, first: Sighting, redacted: RedactedPhoto) -> dict[str, str]:
    """Return what is left open in a finished picture, but for what lies in the zones to spare."""
    zones = [Box(*zone.xyxy) for zone in row.options.keep]
    hidden = redacted.report.hidden_boxes
    found = looker.find_residual(first, redacted.shown, hidden, row.options.residual_check)
    return {
        f"r:{name.review_step}": json.dumps(
            [item.model_dump(by_alias=True) for item in outside(items, zones)]
        )
        for name, items in found.items()
    }


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
