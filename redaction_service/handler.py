"""What this service does: original plus boxes to the redacted picture."""

import json
from collections.abc import Mapping
from functools import partial

from obscura.anonymisation import Target, redact_photo
from obscura.contract import REDACT, JobKind, Step
from obscura.geometry import Box
from obscura.hiding import request_of
from obscura.jobs import Claimed, JobRow
from obscura.settings import Settings
from obscura.worker import Handler, Service, Tools


def targets_of(row: JobRow) -> tuple[Target, ...]:
    """Return what is to be hidden: a person's boxes, or all that was found."""
    if row.kind is JobKind.REDACT:
        return tuple(Target(item.class_name.value, Box(*item.xyxy)) for item in row.options.boxes)
    found = [item for part in row.parts.values() for item in part.detections]
    return tuple(Target(item.class_name.value, Box(*item.xyxy)) for item in found)


def _redact(tools: Tools, claimed: Claimed) -> Mapping[str, str]:
    row, settings = claimed.row, tools.settings
    original = tools.storage.get(row.photo)
    redacted = redact_photo(original, targets_of(row), request_of(row.options, settings))
    # The token keeps apart what two tries of one step leave behind.
    key = f"results/{row.id}.{claimed.token}"
    tools.storage.put(key, redacted.data)
    return {
        "picture": key,
        "media_type": redacted.media_type,
        "report": json.dumps({**redacted.report.as_dict(), "image": redacted.size._asdict()}),
    }


def _build(tools: Tools) -> Mapping[Step, Handler]:
    return {Step.REDACT: partial(_redact, tools)}


def _nothing_to_check(_settings: Settings) -> None:
    """Return: this service has no weights."""


SERVICE = Service(REDACT, _build, _nothing_to_check)
