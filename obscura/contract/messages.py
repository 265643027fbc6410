"""Queues, steps and task messages; messages carry ids, never pictures or file names."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class Priority(StrEnum):
    """Scheduling class of a job: bulk jobs run only while no interactive step waits."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Queue(StrEnum):
    """Kinds of work, each with its own workers; the value is the broker's name of the interactive queue."""

    FACES = "detect.faces"
    PLATES = "detect.plates"
    REDACTION = "redact"
    PHOTOS = "photos"
    VERIFICATION = "verify"
    LESIONS = "detect.lesions"
    VIDEOS = "videos"

    def priority_queue(self, priority: Priority) -> str:
        """Return the broker's name of this queue's priority queue for ``priority``."""
        return self.value if priority is Priority.INTERACTIVE else f"{self.value}.{priority.value}"


class Pipeline(StrEnum):
    """How the steps of a photo are distributed over workers.

    ``split``: a queue per kind of step, so that each kind can run on its own machines, detectors on GPUs.
    ``fused``: one worker does all steps of a photo and decodes it once, which is cheapest on CPUs.
    """

    SPLIT = "split"
    FUSED = "fused"


class Step(StrEnum):
    """The pieces of a job; each is claimed by at most one worker at a time."""

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
"""The steps of a job: those of a stage run side by side, the stages one after the other."""


class StepRequest(BaseModel):
    """The Celery message for one step of one job; everything else is in the job record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: int = Field(1, ge=1, le=1, description="version of this message")
    job_id: str = Field(min_length=1, max_length=64)
    step: Step
    priority: Priority = Field(Priority.INTERACTIVE, description="which priority queue it waits in")
    request_id: str = Field("", max_length=64, description="the HTTP request that began the job, for logs")
    trace: str = Field(
        "",
        exclude=True,
        description="W3C traceparent of that request, where it is traced; travels in the message's headers",
    )


class OutboxMessage(NamedTuple):
    """A serialised Celery message: the priority queue it is pushed to, its text, and its step."""

    priority_queue: str
    text: str
    step: str = ""


@dataclass(frozen=True)
class TaskSpec:
    """A Celery task as gateway and workers define it.

    Attributes
    ----------
    name, queue, steps, request
        Name of the task, its queue, the steps it does, and the model of its payload.
    length
        Multiplies the time limits: the number of steps that the task replaces.
    is_long
        Uses the time limits of videos instead. A redelivered message does not take the step over; only the
        expiry of the lease does.
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
"""Detection, redaction and residual check of a photo in one worker: three stages, three times the limit."""

VERIFY = TaskSpec("obscura.verify", Queue.VERIFICATION, frozenset({Step.VERIFY}))
VIDEO = TaskSpec("obscura.video", Queue.VIDEOS, frozenset({Step.VIDEO}), is_long=True)

_TASKS = (DETECT_FACES, DETECT_PLATES, REDACT, PROCESS_PHOTO, VERIFY, DETECT_LESIONS, VIDEO)
STEP_TASKS: Mapping[Step, TaskSpec] = MappingProxyType({step: spec for spec in _TASKS for step in spec.steps})

_FUSED: frozenset[Step] = DETECT_FACES.steps | DETECT_PLATES.steps | REDACT.steps


def stages_in(pipeline: Pipeline, stages: Stages) -> Stages:
    """Return the stages of a job in ``pipeline``; ``fused`` replaces those of a photo by one step."""
    is_fused = pipeline is Pipeline.FUSED and all(step in _FUSED for stage in stages for step in stage)
    return ((Step.PROCESS_PHOTO,),) if is_fused else stages


def queues_of(pipeline: Pipeline) -> tuple[Queue, ...]:
    """Return the queues that need a worker in ``pipeline``."""
    idle = {spec.queue for spec in (DETECT_FACES, DETECT_PLATES, REDACT)}
    if pipeline is Pipeline.SPLIT:
        idle = {PROCESS_PHOTO.queue}
    return tuple(queue for queue in Queue if queue not in idle)
