"""Typed results of detection, and helpers that order them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract.options import ObjectClass, ResidualCheck

DETECTION_SHARE: Final = 0.8
"""Approximate share of detection in the processing time of a video."""


class ImageInfo(BaseModel):
    """Size of the upright picture in pixels, and the number of frames if there are several."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    frames: int | None = Field(None, exclude_if=lambda frames: frames is None)


class ModelInfo(BaseModel):
    """The model of a detection: name, version, engine.

    ``weights`` are SHA-256 checksums by file format; ``min_confidence`` is the model's default threshold.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    engine: str
    weights: Mapping[str, str] = Field(default_factory=dict)
    min_confidence: float | None = None


class DetectedObject(BaseModel):
    """A detection: class, box (``x1, y1, x2, y2``, pixels, clipped to the upright picture), confidence 0..1.

    ``frame`` is the number of the frame, from 0, in files of several frames.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    class_name: ObjectClass = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    confidence: float
    frame: int | None = Field(None, exclude_if=lambda frame: frame is None)


class DetectionResult(BaseModel):
    """The result of one detection step.

    ``left_open`` are detections between the model's threshold and the request's higher one; they are not
    hidden.
    """

    model_config = ConfigDict(frozen=True)

    image: ImageInfo
    model: ModelInfo
    detections: tuple[DetectedObject, ...]
    left_open: tuple[DetectedObject, ...] = Field((), exclude_if=lambda found: not found)


class VideoProgress(BaseModel):
    """Progress of a video: all frames are detected first (``finding``), then all are written (``hiding``)."""

    model_config = ConfigDict(frozen=True)

    stage: Literal["finding", "hiding"]
    done: int = Field(ge=0, description="frames that this stage has finished")
    total: int = Field(ge=0, description="number of frames in the file's header; 0: unknown")

    @property
    def share(self) -> float:
        """Progress of the whole video, 0..1."""
        part = min(1.0, self.done / self.total) if self.total else 0.0
        if self.stage == "finding":
            return DETECTION_SHARE * part
        return DETECTION_SHARE + (1 - DETECTION_SHARE) * part


def by_confidence(parts: Iterable[DetectionResult]) -> tuple[DetectedObject, ...]:
    """Return the detections of several results, by descending confidence."""
    found = (item for part in parts for item in part.detections)
    return tuple(sorted(found, key=lambda item: -item.confidence))


def with_residual_check(
    report: Mapping[str, Any], residual: Sequence[DetectedObject], check: ResidualCheck
) -> dict[str, Any]:
    """Return the report of a redaction after its residual check.

    Parameters
    ----------
    report
        The report of the redaction.
    residual
        Detections outside the hidden areas; if there are any, the verdict becomes `needs_review`.
    check
        The check that was made; with ``off`` the verdict stays as it is.

    Returns
    -------
    dict
        The report with ``residual_check``; after a check with ``residual``, by descending confidence, and, if
        that is not empty, with ``suspects``, its older name.
    """
    if check is ResidualCheck.OFF:
        return {**report, "residual_check": check.value}
    ordered = sorted(residual, key=lambda item: -item.confidence)
    shown = [item.model_dump(mode="json", by_alias=True) for item in ordered]
    checked = {**report, "residual_check": check.value, "residual": shown}
    return {**checked, "verdict": "needs_review", "suspects": shown} if shown else checked
