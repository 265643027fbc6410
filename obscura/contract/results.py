"""Typed results of detection, and helpers that order them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract.options import ObjectClass, ResidualCheck

FINDING_SHARE: Final = 0.8
"""Of the time that a video takes, about what finding does."""


class ImageInfo(BaseModel):
    """Size of the upright picture, in pixels, and the number of frames where there are several."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    frames: int | None = Field(None, exclude_if=lambda frames: frames is None)


class ModelInfo(BaseModel):
    """Which weights looked at the picture, run by which engine.

    ``weights`` are their SHA-256 by format, ``min_confidence`` is their own threshold.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    engine: str
    weights: Mapping[str, str] = Field(default_factory=dict)
    min_confidence: float | None = None


class DetectedObject(BaseModel):
    """One found object: box in pixels of the upright picture, clipped to it, and score 0..1.

    ``frame`` is there in files of several frames: which one, from 0 on.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    class_name: ObjectClass = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    confidence: float
    frame: int | None = Field(None, exclude_if=lambda frame: frame is None)


class DetectionResult(BaseModel):
    """Outcome of one detection step.

    ``left_open`` are detections from the model's own threshold on that the request's higher one leaves out.
    """

    model_config = ConfigDict(frozen=True)

    image: ImageInfo
    model: ModelInfo
    detections: tuple[DetectedObject, ...]
    left_open: tuple[DetectedObject, ...] = Field((), exclude_if=lambda found: not found)


class VideoProgress(BaseModel):
    """How far the work on a video is: first all frames are looked at, then all are written."""

    model_config = ConfigDict(frozen=True)

    stage: Literal["finding", "hiding"]
    done: int = Field(ge=0, description="frames that this stage has done")
    total: int = Field(ge=0, description="frames in all, as the file says; 0: it does not say")

    @property
    def share(self) -> float:
        """Share of the whole work that is done, 0..1."""
        part = min(1.0, self.done / self.total) if self.total else 0.0
        return FINDING_SHARE * part if self.stage == "finding" else FINDING_SHARE + (1 - FINDING_SHARE) * part


def by_confidence(parts: Iterable[DetectionResult]) -> tuple[DetectedObject, ...]:
    """Return all found objects of several detections, ordered by score."""
    found = (item for part in parts for item in part.detections)
    return tuple(sorted(found, key=lambda item: -item.confidence))


def with_residual_check(
    report: Mapping[str, Any], residual: Sequence[DetectedObject], check: ResidualCheck
) -> dict[str, Any]:
    """Return the report of a redaction after its residual check.

    Parameters
    ----------
    report
        What the redaction said of itself.
    residual
        What the check found outside of what is hidden; any of it makes the verdict `needs_review`.
    check
        Which check was made. Where none was, the verdict stays as it is.

    Returns
    -------
    dict
        The report with ``residual_check``, with ``residual`` (surest first) where a check was made, and with
        ``suspects``, the older name of the same list, where it is not empty.
    """
    if check is ResidualCheck.OFF:
        return {**report, "residual_check": check.value}
    ordered = sorted(residual, key=lambda item: -item.confidence)
    shown = [item.model_dump(mode="json", by_alias=True) for item in ordered]
    checked = {**report, "residual_check": check.value, "residual": shown}
    return {**checked, "verdict": "needs_review", "suspects": shown} if shown else checked
