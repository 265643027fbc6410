"""Queues, steps and task messages; messages carry ids, never pictures or file names."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class Priority(StrEnum):
    """Whether somebody waits for the answer, or a pile of photos is to be done some time."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Queue(StrEnum):
    """Kinds of work, each with workers of its own; the value is the interactive lane's name on the broker."""

    FACES = "detect.faces"
    PLATES = "detect.plates"
    REDACTION = "redact"
    PHOTOS = "photos"
    VERIFICATION = "verify"
    LESIONS = "detect.lesions"
    VIDEOS = "videos"

    def priority_queue(self, priority: Priority) -> str:
        """Return the name on the broker of this queue's lane for ``priority``."""
        return self.value if priority is Priority.INTERACTIVE else f"{self.value}.{priority.value}"


class Pipeline(StrEnum):
    """How a photo goes through the workers.

    ``split``: a queue per kind of step, so that each kind can have machines of its own, detectors their GPUs.
    ``fused``: one worker does all steps of a photo at once, and opens it once: the cheapest on CPUs.
    """

    SPLIT = "split"
    FUSED = "fused"


class Step(StrEnum):
    """Pieces of a job that a worker claims, each at most once at a time."""

    DETECT_FACES = "detect_faces"
    DETECT_PLATES = "detect_plates"
    REDACT = "redact"
    RESIDUAL_CHECK_FACES = "review_faces"
    RESIDUAL_CHECK_PLATES = "review_plates"
    PROCESS_PHOTO = "whole"
    VERIFY = "verify"
    DETECT_LESIONS = "detect_lesions"
    VIDEO = "video"


Stages: TypeAlias = tuple[tuple[Step, ...], ...]
"""The steps of a job: side by side in a stage, one stage after the other."""


class StepRequest(BaseModel):
    """Wake-up for one step of one job; everything else stands in the job ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: int = Field(1, ge=1, le=1, description="version of this message")
    job_id: str = Field(min_length=1, max_length=64)
    step: Step
    priority: Priority = Field(Priority.INTERACTIVE, description="which lane of the step's queue it waits in")
    request_id: str = Field("", max_length=64, description="the HTTP request that began the job, for logs")
    trace: str = Field(
        "",
        exclude=True,
        description="W3C traceparent of that request, where it is traced; travels in the message's headers",
    )


class OutboxMessage(NamedTuple):
    """A message as it lies on the broker: the list that it is pushed on, its text, the step it wakes."""

    priority_queue: str
    text: str
    step: str = ""


@dataclass(frozen=True)
class TaskSpec:
    """A Celery task as both sides see it: its name, its queue, the steps that it does, its payload.

    ``length`` is how many steps' time it may take. One that ``is_long`` has the time of a video instead;
    while it runs, only the end of its lease gives it to somebody else, not the return of its message.
    """

    name: str
    queue: Queue
    steps: frozenset[Step]
    request: type[StepRequest] = StepRequest
    length: int = 1
    is_long: bool = False


DETECT_FACES = TaskSpec(
    "obscura.detect_faces", Queue.FACES, frozenset({Step.DETECT_FACES, Step.RESIDUAL_CHECK_FACES})
)
DETECT_PLATES = TaskSpec(
    "obscura.detect_plates", Queue.PLATES, frozenset({Step.DETECT_PLATES, Step.RESIDUAL_CHECK_PLATES})
)
REDACT = TaskSpec("obscura.redact", Queue.REDACTION, frozenset({Step.REDACT}))
DETECT_LESIONS = TaskSpec("obscura.detect_lesions", Queue.LESIONS, frozenset({Step.DETECT_LESIONS}))
PROCESS_PHOTO = TaskSpec("obscura.whole", Queue.PHOTOS, frozenset({Step.PROCESS_PHOTO}), length=3)
"""A photo from its first look to its last in one worker: three stages, so three steps' time."""

VERIFY = TaskSpec("obscura.verify", Queue.VERIFICATION, frozenset({Step.VERIFY}))
VIDEO = TaskSpec("obscura.video", Queue.VIDEOS, frozenset({Step.VIDEO}), is_long=True)

_TASKS = (DETECT_FACES, DETECT_PLATES, REDACT, PROCESS_PHOTO, VERIFY, DETECT_LESIONS, VIDEO)
STEP_TASKS: Mapping[Step, TaskSpec] = MappingProxyType({step: spec for spec in _TASKS for step in spec.steps})

_FUSED: frozenset[Step] = DETECT_FACES.steps | DETECT_PLATES.steps | REDACT.steps


def stages_in(pipeline: Pipeline, stages: Stages) -> Stages:
    """Return the stages of a job as ``pipeline`` has them: what one worker can do alone becomes one step."""
    is_whole = pipeline is Pipeline.FUSED and all(step in _FUSED for stage in stages for step in stage)
    return ((Step.PROCESS_PHOTO,),) if is_whole else stages


def queues_of(pipeline: Pipeline) -> tuple[Queue, ...]:
    """Return the queues that need a worker."""
    idle = {spec.queue for spec in (DETECT_FACES, DETECT_PLATES, REDACT)}
    if pipeline is Pipeline.SPLIT:
        idle = {PROCESS_PHOTO.queue}
    return tuple(queue for queue in Queue if queue not in idle)
