"""The only thing that gateway and workers agree on: queues, task messages, job options, results."""

from obscura.contract.messages import (
    DETECT_FACES,
    DETECT_PLATES,
    REDACT,
    STEP_TASKS,
    Priority,
    Queue,
    Step,
    StepRequest,
    TaskSpec,
)
from obscura.contract.options import (
    JobKind,
    JobOptions,
    MetadataPolicy,
    ObjectClass,
    OutputFormat,
    Quality,
    RedactionShape,
    RedactionStyle,
    UserBox,
)
from obscura.contract.results import (
    DetectedObject,
    DetectionPart,
    ImageInfo,
    ModelInfo,
    reviewed,
    surest_first,
)

__all__ = [
    "DETECT_FACES",
    "DETECT_PLATES",
    "REDACT",
    "STEP_TASKS",
    "DetectedObject",
    "DetectionPart",
    "ImageInfo",
    "JobKind",
    "JobOptions",
    "MetadataPolicy",
    "ModelInfo",
    "ObjectClass",
    "OutputFormat",
    "Priority",
    "Quality",
    "Queue",
    "RedactionShape",
    "RedactionStyle",
    "Step",
    "StepRequest",
    "TaskSpec",
    "UserBox",
    "reviewed",
    "surest_first",
]
