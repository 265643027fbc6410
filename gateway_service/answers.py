"""Pydantic models of answers, as OpenAPI shows them."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from obscura.contract import (
    RESEARCH_ONLY,
    DetectedObject,
    ImageInfo,
    LesionResult,
    ModelInfo,
    VideoProgress,
)


class TaskStatus(StrEnum):
    """The state of a task, in the words of the legacy API."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


class TaskCreated(BaseModel):
    """A job was entered."""

    task_id: str = Field(examples=["3f0c8c6e-54d6-4c3c-9a55-0d2f8a3f4f0a"])


class LesionTaskCreated(TaskCreated):
    """A job for a mammogram was entered."""

    notice: str = RESEARCH_ONLY


class TaskError(BaseModel):
    """Why a task failed."""

    code: str
    message: str


class WebhookState(StrEnum):
    """How far the telling of an end is: not yet due, under way, taken by the receiver, given up."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookProgress(BaseModel):
    """What became of a webhook so far."""

    state: WebhookState
    attempts: int = 0
    http_status: int | None = Field(None, description="what the receiver last answered with")
    error: str | None = Field(None, description="why the last attempt failed")
    next_attempt: float | None = Field(None, description="time of the next attempt, in seconds since 1970")


class VideoLink(BaseModel):
    """Where the redacted video is fetched from, in parts if one likes (Range)."""

    url: str = Field(examples=["/task_result/3f0c8c6e-54d6-4c3c-9a55-0d2f8a3f4f0a/video"])
    media_type: str = Field(examples=["video/mp4"])
    bytes: int = Field(ge=0)


class PictureLink(BaseModel):
    """Where the redacted picture is fetched from as bytes."""

    url: str = Field(examples=["/task_result/3f0c8c6e-54d6-4c3c-9a55-0d2f8a3f4f0a/image"])
    media_type: str = Field(examples=["image/jpeg"])


def _never_null(schema: dict[str, Any]) -> None:
    """Describe the fields of an answer as they are sent: one without a value is left out, and never null."""
    for field in schema["properties"].values():
        kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
        if "default" in field and field["default"] is None:
            del field["default"]
        if len(kinds) == 1:
            del field["anyOf"]
            field.update(kinds[0] | field)
        elif kinds:
            field["anyOf"] = kinds


BoxesByName = Annotated[dict[str, dict[str, list[int]]], Field(title="BoxesByName")]


class TaskResult(BaseModel):
    """A task: ``result`` holds the boxes by name, the picture in base64, or the address of the video."""

    model_config = ConfigDict(json_schema_extra=_never_null)

    status: TaskStatus
    result: BoxesByName | list[list[float]] | str | None = Field(
        None, examples=[{"face_1": {"facial_area": [1044, 232, 1465, 795]}}]
    )
    progress: float | None = Field(None, ge=0, le=1, description="share of the steps done, while RUNNING")
    frames: VideoProgress | None = Field(None, description="of a video, while RUNNING")
    error: TaskError | None = None
    video: VideoLink | None = Field(None, description="of a video: where it is")
    picture: PictureLink | None = Field(None, description="of a photo, with embed=false: where it is")
    detections: tuple[DetectedObject, ...] | None = None
    image: ImageInfo | None = None
    model: ModelInfo | None = None
    models: tuple[ModelInfo, ...] | None = None
    report: dict[str, Any] | None = None
    manifest: dict[str, Any] | None = None
    lesions: LesionResult | None = Field(None, description="of a mammogram: marks, clusters, scores")
    notice: str | None = Field(None, description="of a mammogram: research use, not a medical device")
    webhook: WebhookProgress | None = Field(None, description="where one was asked for")


TaskAnswer = TaskCreated | TaskResult
"""What a photo is answered with: a task, or with zero retention its result."""


class TaskProgress(BaseModel):
    """The state of a task in its event stream; the result itself is fetched."""

    status: TaskStatus
    progress: float = Field(ge=0, le=1, description="share of its steps that are done")
    frames: VideoProgress | None = Field(None, description="of a video, while RUNNING")
    finished: bool
    error: TaskError | None = None


class Problem(BaseModel):
    """Every error answer."""

    error: TaskError
