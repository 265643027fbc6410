"""Task messages: ids only, never a picture, never a file name."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

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

    def lane(self, priority: Priority) -> str:
        """Return the name on the broker of this queue's lane for ``priority``."""
        return self.value if priority is Priority.INTERACTIVE else f"{self.value}.{priority.value}"


class Step(StrEnum):
    """Pieces of a job that a worker claims, each at most once at a time."""

    DETECT_FACES = "detect_faces"
    DETECT_PLATES = "detect_plates"
    REDACT = "redact"
    REVIEW_FACES = "review_faces"
    REVIEW_PLATES = "review_plates"


class StepRequest(BaseModel):
    """Wake-up for one step of one job; everything else stands in the job ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: int = Field(1, ge=1, le=1, description="version of this message")
    job_id: str = Field(min_length=1, max_length=64)
    step: Step
    priority: Priority = Field(Priority.INTERACTIVE, description="which lane of the step's queue it waits in")
    request_id: str = Field("", max_length=64, description="the HTTP request that began the job, for logs")


@dataclass(frozen=True)
class TaskSpec:
    """A Celery task as both sides see it: its name, its queue, the steps that it does, its payload."""

    name: str
    queue: Queue
    steps: frozenset[Step]
    request: type[StepRequest] = StepRequest


DETECT_FACES = TaskSpec(
    "obscura.detect_faces", Queue.FACES, frozenset({Step.DETECT_FACES, Step.REVIEW_FACES})
)
DETECT_PLATES = TaskSpec(
    "obscura.detect_plates", Queue.PLATES, frozenset({Step.DETECT_PLATES, Step.REVIEW_PLATES})
)
REDACT = TaskSpec("obscura.redact", Queue.REDACTION, frozenset({Step.REDACT}))


STEP_TASKS: Mapping[Step, TaskSpec] = MappingProxyType(
    {step: spec for spec in (DETECT_FACES, DETECT_PLATES, REDACT) for step in spec.steps}
)
