"""Build the manifest of a finished redaction."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from obscura import __version__
from obscura.geometry import Box
from obscura.provenance.manifest import FORMAT, FORMAT_VERSION
from obscura.redaction.policy import FACE
from obscura.redaction.styles import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.anonymisation import RedactedPhoto, RedactionRequest
    from obscura.contract import DetectionResult, JobOptions


@dataclass(frozen=True, slots=True)
class Work:
    """The data of a manifest.

    Attributes
    ----------
    photo, redacted
        The file of the photo, and the redacted photo.
    parts
        The detection results; empty if the boxes were given, which are then in ``options``.
    options, request
        The job's options, and the redaction request built from them.
    review_verdict
        The verdict of the residual check if it ran before, else None.
    """

    photo: bytes
    redacted: "RedactedPhoto"
    parts: "Sequence[DetectionResult]"
    options: "JobOptions"
    request: "RedactionRequest"
    review_verdict: str | None = None


def manifest_of(work: Work) -> dict[str, Any]:
    """Return the unsigned manifest of a finished redaction as JSON types."""
    report, policy = work.redacted.report, work.request.policy
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "obscura_version": __version__,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "input": _file(work.photo),
        "output": _file(work.redacted.data),
        "detection": {
            "quality": work.options.quality.value,
            "min_confidence": work.options.min_confidence,
            "models": [part.model.model_dump(mode="json") for part in work.parts],
        },
        "objects": _objects(work),
        "redaction": {
            "styles": {name: describe(policy.style_of(name)) for name in sorted(report.hidden)},
            "shape": policy.shape_of(FACE).value,
            "grow": policy.grow_of(FACE),
            "feather": policy.feather,
            "regions": [list(region) for region in report.regions],
            **({} if report.frames is None else {"frames": list(report.frames.regions)}),
        },
        "metadata": {
            "policy": work.request.metadata.value,
            "removed": list(report.metadata_removed),
            "kept": list(report.metadata_kept),
        },
        "redaction_verdict": report.verdict.value,
        "review_verdict": work.review_verdict,
        "signature": None,
    }


def _objects(work: Work) -> list[dict[str, Any]]:
    found = [
        item.model_dump(mode="json", by_alias=True)
        for part in work.parts
        for item in part.detections
        if not Box(*item.xyxy).lies_in_one_of(work.request.keep)
    ]
    drawn = () if work.parts else work.options.boxes
    return [*found, *({**item.model_dump(mode="json", by_alias=True), "confidence": None} for item in drawn)]


def _file(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
