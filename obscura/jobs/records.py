"""Job records: the typed model of a job, and its fields in the job store."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, cast

from obscura.contract import (
    DetectedObject,
    DetectionResult,
    JobKind,
    JobOptions,
    Pipeline,
    Stages,
    Step,
    StepRequest,
    VideoProgress,
    stages_in,
)
from obscura.errors import JobLostError, RecordUnreadableError
from obscura.jobs.record_fields import (
    DETECTIONS,
    FAULTS,
    MAX_RECORD_BYTES,
    RESIDUAL,
    bounded,
    length_of,
    packed,
    read_field,
    read_report,
)

ZERO_RETENTION_TTL_S = 30
"""Lifetime in seconds of a finished zero-retention job whose gateway died before it erased the job."""

_ORDER: Final = {step.value: number for number, step in enumerate(Step)}


class JobState(StrEnum):
    """State of a job; ``DONE`` and ``FAILED`` are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether the state is final."""
        return self in {JobState.DONE, JobState.FAILED}


@dataclass(frozen=True)
class NewJob:
    """A job to be created; its photo is in the object storage already.

    ``photo`` is the storage key; ``cost`` is that of `obscura.jobs.cost`; ``fingerprint`` identifies the
    request for its Idempotency-Key; ``trace`` is a W3C traceparent or empty.
    """

    id: str
    kind: JobKind
    options: JobOptions
    photo: str
    owner: str = ""
    request_id: str = ""
    idempotency_key: str = ""
    fingerprint: str = ""

    pipeline: Pipeline = Pipeline.SPLIT
    trace: str = ""
    batch: str = ""
    cost: float = 1.0

    @property
    def stages(self) -> Stages:
        """The steps of this job: tuples of steps that run side by side, one tuple after the other."""
        return stages_in(self.pipeline, self.options.stages(self.kind))

    @property
    def first_steps(self) -> tuple[Step, ...]:
        """The steps that are ready when the job is created."""
        return self.stages[0]

    def fields(self) -> dict[str, str]:
        """Return the fields of the new record; raise RecordUnreadableError if they exceed the size limit."""
        stages = self.stages
        record = {
            "kind": self.kind.value,
            "owner": self.owner,
            "request_id": self.request_id,
            # Workers must not see the webhook URL, which is a field of its own.
            "options": packed(self.options.model_dump_json(by_alias=True, exclude={"webhook"})),
            "photo": self.photo,
            "retain": str(self.options.retain),
            "cost": f"{self.cost:.3f}",
            # The gateway erases a zero-retention job after its answer; this limits it if the gateway dies.
            **({"ttl": str(ZERO_RETENTION_TTL_S)} if self.options.zero_retention else {}),
            **({"trace": self.trace} if self.trace else {}),
            "stages": ";".join(",".join(stage) for stage in stages),
            **({"webhook": self.options.webhook} if self.options.webhook else {}),
            **({"batch": self.batch} if self.batch else {}),
        }
        for number, stage in enumerate(stages):
            record.update({f"s:{step}": "waiting" if number else "queued" for step in stage})
        return bounded(record)


@dataclass(frozen=True)
class JobRecord:
    """A job as read from the job store.

    ``detections`` are its results by `ObjectClass.result_name`, ``residual`` the residual detections,
    ``progress`` is 0..1, ``picture`` and ``photo`` are storage keys, ``report`` is JSON text. Times are
    seconds since 1970 by the server's clock. ``is_damaged`` says that the stored record could not be read.
    """

    id: str
    kind: JobKind
    state: JobState
    options: JobOptions
    owner: str
    request_id: str
    photo: str
    created: float
    finished: float | None
    detections: Mapping[str, DetectionResult]
    residual: tuple[DetectedObject, ...]
    progress: float
    video: VideoProgress | None
    picture: str | None
    media_type: str | None
    report: str | None
    error_code: str | None
    error_message: str | None
    trace: str = ""
    has_webhook: bool = False
    is_damaged: bool = False

    @classmethod
    def from_fields(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        """Return the record with these stored fields.

        Fields that cannot be read give a failed job with the code `record_unreadable`; it ``is_damaged``.
        """
        try:
            if length_of(fields) > 2 * MAX_RECORD_BYTES:
                return _damaged(job_id, fields)
            return cls._read(job_id, fields)
        except FAULTS:
            return _damaged(job_id, fields)

    @classmethod
    def _read(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        """Return the record with these stored fields; raise one of `FAULTS` if they are damaged."""
        finished, kind = fields.get("finished"), JobKind(fields["kind"])
        report = fields.get("report")
        state = JobState(fields["state"])
        if state.is_end and finished is None:
            message = "a finished job has no time of its end"
            raise ValueError(message)
        return cls(
            id=job_id,
            kind=kind,
            state=state,
            options=read_field("options", fields["options"]),
            owner=fields.get("owner", ""),
            request_id=fields.get("request_id", ""),
            photo=fields["photo"],
            created=float(fields["created"]),
            finished=None if finished is None else float(finished),
            detections=dict(_by_class(fields, DETECTIONS)),
            residual=tuple(item for _, found in _by_class(fields, RESIDUAL) for item in found),
            picture=fields.get("picture"),
            media_type=read_field("media_type", fields["media_type"]) if "media_type" in fields else None,
            report=None if report is None else read_report(kind, report),
            error_code=fields.get("error_code"),
            error_message=fields.get("error_message"),
            progress=_progress(fields),
            trace=fields.get("trace", ""),
            has_webhook="webhook" in fields,
            video=_video(fields),
        )


def lost_job_fields(job_id: str, owner: str) -> dict[str, str]:
    """Return the fields of a failed job (`job_lost`) in place of a record that the server lost."""
    message = "the server lost what it knew of this task; send the photo again"
    return _failed(job_id, owner, JobLostError.code, message)


def _failed(job_id: str, owner: str, code: str, message: str) -> dict[str, str]:
    return {
        "state": JobState.FAILED.value,
        # The real kind and options are unknown.
        "kind": JobKind.DETECT.value,
        "options": JobOptions().model_dump_json(by_alias=True),
        "owner": owner,
        "photo": f"photos/{job_id}",
        "created": "0",
        "finished": "0",
        "error_code": code,
        "error_message": message,
    }


UNREADABLE_TEXT: Final = "what the server holds of this task is damaged; send the photo again"


def _damaged(job_id: str, fields: Mapping[str, str]) -> JobRecord:
    """Return a failed record in place of one that cannot be read, with its owner and the objects to erase."""
    failed = _failed(job_id, fields.get("owner", ""), RecordUnreadableError.code, UNREADABLE_TEXT)
    picture = fields.get("picture", "")
    # A damaged record must not make us erase an object of another job.
    if picture.startswith(f"results/{job_id}"):
        failed["picture"] = picture
    return replace(JobRecord.from_fields(job_id, failed), is_damaged=True)


def fields_from_event(text: str) -> dict[str, str]:
    """Return the record fields in the event of a job's end: a JSON list of alternating names and values."""
    items = json.loads(text)
    return dict(zip(items[::2], items[1::2], strict=True))


def _by_class(fields: Mapping[str, str], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields of all classes with their parsed values: faces, plates, then the others by name."""
    names = [name for name in fields if name.startswith(prefix)]
    for name in sorted(names, key=lambda name: (_ORDER.get(name.removeprefix(prefix), len(_ORDER)), name)):
        yield name.removeprefix(prefix), read_field(name, fields[name])


def _progress(fields: Mapping[str, str]) -> float:
    """Return the progress of a job, 0..1: the share of a video's work, else of its steps, that is done."""
    video = _video(fields)
    if video is not None:
        return round(video.share, 3)
    steps = [state for name, state in fields.items() if name.startswith("s:")]
    return round(steps.count("done") / len(steps), 3) if steps else 0.0


def _video(fields: Mapping[str, str]) -> VideoProgress | None:
    return cast("VideoProgress", read_field("video", fields["video"])) if "video" in fields else None


def step_request(job: NewJob | JobRecord, step: Step) -> StepRequest:
    """Return the message that makes a worker claim ``step`` of ``job``."""
    return StepRequest(
        job_id=job.id,
        step=step,
        priority=job.options.priority,
        request_id=job.request_id,
        trace=job.trace,
    )
