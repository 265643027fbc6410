"""Handler of redaction steps: redact a photo, sign its manifest, store the picture."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from obscura.anonymisation import RedactedPhoto, Target, redact_photo
from obscura.anonymisation.build_request import request_of
from obscura.contract import REDACT, DetectionResult, JobKind, Step
from obscura.geometry import Box
from obscura.imaging.open import Photo
from obscura.jobs import Claimed, JobRecord
from obscura.provenance import Credentials, Key, Work, manifest_of, signed, signing_key
from obscura.settings import Settings
from obscura.worker.service import Handler, Service, WorkerContext

__all__ = ["Redactor", "Upload", "redaction_service"]


@dataclass(frozen=True, eq=False, slots=True)
class Upload:
    """The file of a photo, its privacy mask (PNG or empty), and the decoded photo if available."""

    data: bytes
    photo: Photo | None = None
    mask: bytes = b""


@dataclass(frozen=True)
class Redactor:
    """Redacts photos and signs their manifests, with the key and credentials of an installation."""

    settings: Settings
    key: Key | None
    credentials: Credentials

    @classmethod
    def of(cls, settings: Settings) -> "Redactor":
        """Return the redactor for these settings; raise InvalidOptionError if the manifest key is invalid."""
        return cls(settings, signing_key(settings.manifest_key), Credentials(settings))

    def redact(
        self, record: JobRecord, upload: Upload, detections: Iterable[DetectionResult]
    ) -> tuple[RedactedPhoto, dict[str, str]]:
        """Return the redacted photo of a job, and the record fields with its media type and report.

        Raises
        ------
        ObscuraError
            As `redact_photo` and `request_of` do.
        """
        detections = tuple(detections)
        request = request_of(record.options, self.settings, upload.mask)
        redacted = redact_photo(upload.data, _targets(record, detections), request, upload.photo)
        if record.options.content_credentials:
            models = [part.model for part in detections]
            redacted = self.credentials.embed(redacted, models, request.limits)
        work = Work(upload.data, redacted, detections, record.options, request)
        manifest = signed(manifest_of(work), self.key)
        report = {**redacted.report.as_dict(), "image": redacted.size._asdict(), "manifest": manifest}
        return redacted, {"media_type": redacted.media_type, "report": json.dumps(report)}


def _targets(record: JobRecord, detections: Iterable[DetectionResult]) -> tuple[Target, ...]:
    """Return the objects to hide: the boxes of a redaction job, else all detections."""
    if record.kind is JobKind.REDACT:
        return tuple(
            Target(item.class_name.value, Box(*item.xyxy), item.frame) for item in record.options.boxes
        )
    found = [item for part in detections for item in part.detections]
    return tuple(Target(item.class_name.value, Box(*item.xyxy), item.frame) for item in found)


def _redact(context: WorkerContext, redactor: Redactor, claimed: Claimed) -> Mapping[str, str]:
    record = claimed.record
    data, mask = record.options.split_upload(context.read(record.photo))
    redacted, fields = redactor.redact(record, Upload(data, mask=mask), record.detections.values())
    key = claimed.result_key
    context.store(key, redacted.data)
    return {"picture": key, **fields}


def _build(context: WorkerContext) -> Mapping[Step, Handler]:
    return {Step.REDACT: partial(_redact, context, Redactor.of(context.settings))}


def check_key(settings: Settings) -> None:
    """Raise InvalidOptionError or CredentialsUnavailableError if a configured signing key cannot be used."""
    signing_key(settings.manifest_key)
    if settings.content_credentials or settings.c2pa_certificate:
        Credentials(settings).require_usable()


def redaction_service() -> Service:
    """Return the service that redacts photos."""
    return Service(REDACT, _build, check_key)
