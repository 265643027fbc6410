"""What this service does: original plus boxes to the redacted picture."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from obscura.anonymisation import Target, redact_photo
from obscura.contract import REDACT, JobKind, Step
from obscura.detection.manifest import ModelCard
from obscura.geometry import Box
from obscura.hiding import request_of
from obscura.jobs import Claimed, JobRow
from obscura.manifest import Key, Work, known_cards, manifest_of, signed, signing_key
from obscura.settings import Settings
from obscura.worker import Handler, Service, Tools


def targets_of(row: JobRow) -> tuple[Target, ...]:
    """Return what is to be hidden: a person's boxes, or all that was found."""
    if row.kind is JobKind.REDACT:
        return tuple(Target(item.class_name.value, Box(*item.xyxy)) for item in row.options.boxes)
    found = [item for part in row.parts.values() for item in part.detections]
    return tuple(Target(item.class_name.value, Box(*item.xyxy)) for item in found)


@dataclass(frozen=True)
class _Signing:
    """What every manifest needs, read once."""

    cards: Mapping[str, ModelCard]
    key: Key | None


def _redact(tools: Tools, signing: _Signing, claimed: Claimed) -> Mapping[str, str]:
    row, settings = claimed.row, tools.settings
    original = tools.storage.get(row.photo)
    request = request_of(row.options, settings)
    redacted = redact_photo(original, targets_of(row), request)
    work = Work(original, redacted, tuple(row.parts.values()), row.options, request, cards=signing.cards)
    manifest = signed(manifest_of(work), signing.key)
    # The token keeps apart what two tries of one step leave behind.
    key = f"results/{row.id}.{claimed.token}"
    tools.storage.put(key, redacted.data)
    return {
        "picture": key,
        "media_type": redacted.media_type,
        "report": json.dumps(
            {**redacted.report.as_dict(), "image": redacted.size._asdict(), "manifest": manifest}
        ),
    }


def _build(tools: Tools) -> Mapping[Step, Handler]:
    settings = tools.settings
    signing = _Signing(known_cards(settings), signing_key(settings.manifest_key))
    return {Step.REDACT: partial(_redact, tools, signing)}


def _check_key(settings: Settings) -> None:
    """Raise InvalidOptionError where manifests could not be signed; this service has no weights."""
    signing_key(settings.manifest_key)


SERVICE = Service(REDACT, _build, _check_key)
