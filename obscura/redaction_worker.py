"""The service that takes detections and hides them; it needs no model and no GPU."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from obscura.anonymisation import RedactedPhoto, Target, redact_photo
from obscura.contract import REDACT, DetectionPart, JobKind, Step
from obscura.geometry import Box
from obscura.hiding import request_of
from obscura.imaging.photo import Photo
from obscura.jobs import Claimed, JobRow
from obscura.manifest import Key, Work, manifest_of, signed, signing_key
from obscura.provenance import Credentials
from obscura.service import Handler, Service, Tools
from obscura.settings import Settings

__all__ = ["Hiding", "Opened", "redaction_service"]


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """A photo and its mask as they came; ``photo`` is what is in ``data``, where that was decoded already."""

    data: bytes
    photo: Photo | None = None
    mask: bytes = b""


@dataclass(frozen=True)
class Hiding:
    """Hides what was found, and says so in a signed manifest; what every photo needs is read once."""

    settings: Settings
    key: Key | None
    credentials: Credentials

    @classmethod
    def of(cls, settings: Settings) -> "Hiding":
        """Return what hides on this installation; raise InvalidOptionError where its key is none."""
        return cls(settings, signing_key(settings.manifest_key), Credentials(settings))

    def hide(
        self, row: JobRow, opened: Opened, parts: Iterable[DetectionPart]
    ) -> tuple[RedactedPhoto, dict[str, str]]:
        """Return the redacted photo of a job, and the fields of its row that tell of it.

        Raises
        ------
        ObscuraError
            As `redact_photo` and `request_of` do.
        """
        parts = tuple(parts)
        request = request_of(row.options, self.settings, opened.mask)
        redacted = redact_photo(opened.data, _targets(row, parts), request, opened.photo)
        if row.options.content_credentials:
            models = [part.model for part in parts]
            redacted = self.credentials.embed(redacted, models, request.limits)
        work = Work(opened.data, redacted, parts, row.options, request)
        manifest = signed(manifest_of(work), self.key)
        report = {**redacted.report.as_dict(), "image": redacted.size._asdict(), "manifest": manifest}
        return redacted, {"media_type": redacted.media_type, "report": json.dumps(report)}


def _targets(row: JobRow, parts: Iterable[DetectionPart]) -> tuple[Target, ...]:
    """Return what is to be hidden: a person's boxes, or all that was found."""
    if row.kind is JobKind.REDACT:
        return tuple(Target(item.class_name.value, Box(*item.xyxy), item.frame) for item in row.options.boxes)
    found = [item for part in parts for item in part.detections]
    return tuple(Target(item.class_name.value, Box(*item.xyxy), item.frame) for item in found)


def picture_key(claimed: Claimed) -> str:
    """Return where a step stores its picture."""
    return claimed.result_key


def _redact(tools: Tools, hiding: Hiding, claimed: Claimed) -> Mapping[str, str]:
    row = claimed.row
    data, mask = row.options.parted(tools.read(row.photo))
    redacted, fields = hiding.hide(row, Opened(data, mask=mask), row.parts.values())
    key = picture_key(claimed)
    tools.store(key, redacted.data)
    return {"picture": key, **fields}


def _build(tools: Tools) -> Mapping[Step, Handler]:
    return {Step.REDACT: partial(_redact, tools, Hiding.of(tools.settings))}


def check_key(settings: Settings) -> None:
    """Raise InvalidOptionError or CredentialsUnavailableError where what is asked for could not be signed."""
    signing_key(settings.manifest_key)
    if settings.content_credentials or settings.c2pa_certificate:
        Credentials(settings).require_usable()


def redaction_service() -> Service:
    """Return the service that hides."""
    return Service(REDACT, _build, check_key)
