"""Job records as the job store keeps them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, cast

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
    FAULTS,
    MAX_RECORD_BYTES,
    bounded,
    length_of,
    packed,
    read_field,
    read_report,
)

ZERO_RETENTION_TTL_S = 30
"""Seconds that a result which must not be kept outlives the gateway that was to give it."""

# Spelt once, and not for every row that is read.
DETECTION_FIELDS: Final = {step: f"p:{step}" for step in Step}
RESIDUAL_FIELDS: Final = tuple(f"r:{step}" for step in Step)


class JobState(StrEnum):
    """Where a job stands; ``DONE`` and ``FAILED`` are its end."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether the job will not change any more."""
        return self in {JobState.DONE, JobState.FAILED}


@dataclass(frozen=True)
class NewJob:
    """A job about to be entered: its photo is in the storage already.

    ``cost`` is about how much work its photo is, in megapixels looked at with `balanced` quality.
    """

    id: str
    kind: JobKind
    options: JobOptions
    photo: str
    owner: str = ""
    request_id: str = ""
    idempotency_key: str = ""
    fingerprint: str = ""
    parts: Mapping[Step, DetectionResult] = field(default_factory=dict)
    pipeline: Pipeline = Pipeline.SPLIT
    trace: str = ""
    batch: str = ""
    cost: float = 1.0

    @property
    def stages(self) -> Stages:
        """The steps of this job."""
        return stages_in(self.pipeline, self.options.stages(self.kind))

    @property
    def first_steps(self) -> tuple[Step, ...]:
        """The steps that can begin at once."""
        return self.stages[0]

    def fields(self) -> dict[str, str]:
        """Return the hash that stands for this job; raise RecordUnreadableError where it is too long."""
        stages = self.stages
        record = {
            "kind": self.kind.value,
            "owner": self.owner,
            "request_id": self.request_id,
            # Who is told is no business of the workers.
            "options": packed(self.options.model_dump_json(by_alias=True, exclude={"webhook"})),
            "photo": self.photo,
            "retain": str(self.options.retain),
            "cost": f"{self.cost:.3f}",
            # Who waits for the answer takes it at once; a gateway that died never will.
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
    """A job as read from the ledger."""

    id: str
    kind: JobKind
    state: JobState
    options: JobOptions
    owner: str
    request_id: str
    photo: str
    created: float
    finished: float | None
    parts: Mapping[Step, DetectionResult]
    suspects: tuple[DetectedObject, ...]
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
        """Return the row that a hash stands for.

        A hash that cannot be read is a job that has failed with `record_unreadable`; it ``is_damaged``.
        """
        try:
            if length_of(fields) > 2 * MAX_RECORD_BYTES:
                return _damaged(job_id, fields)
            return cls._read(job_id, fields)
        except FAULTS:
            return _damaged(job_id, fields)

    @classmethod
    def _read(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        """Return the row that a hash stands for; raise one of `FAULTS` where it is damaged."""
        finished, kind = fields.get("finished"), JobKind(fields["kind"])
        report = fields.get("report")
        state = JobState(fields["state"])
        if state.is_end and finished is None:
            message = "a job has ended at no time"
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
            # In the order of the steps, whichever of them ended first.
            parts={
                step: read_field(name, fields[name]) for step, name in DETECTION_FIELDS.items() if name in fields
            },
            suspects=tuple(
                item for name in RESIDUAL_FIELDS if name in fields for item in read_field(name, fields[name])
            ),
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


def lost(job_id: str, owner: str) -> dict[str, str]:
    """Return the fields of a job of which nothing is left: a FAILURE that says so."""
    message = "the server lost what it knew of this task; send the photo again"
    return _failed(job_id, owner, JobLostError.code, message)


def _failed(job_id: str, owner: str, code: str, message: str) -> dict[str, str]:
    return {
        "state": JobState.FAILED.value,
        # Nobody knows any more what was asked for.
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
    """Return the row of a job whose record cannot be read: whose it was, and what is to be erased with it."""
    failed = _failed(job_id, fields.get("owner", ""), RecordUnreadableError.code, UNREADABLE_TEXT)
    picture = fields.get("picture", "")
    # A damaged record must not lead to what belongs to another job.
    if picture.startswith(f"results/{job_id}"):
        failed["picture"] = picture
    return replace(JobRecord.from_fields(job_id, failed), is_damaged=True)


def fields_from_event(text: str) -> dict[str, str]:
    """Return the hash that the event of a job's end tells: a JSON list of names and values in turns."""
    told = json.loads(text)
    return dict(zip(told[::2], told[1::2], strict=True))


def _progress(fields: Mapping[str, str]) -> float:
    """Return the share of a job's steps that are done, 0..1."""
    video = _video(fields)
    if video is not None:
        return round(video.share, 3)
    steps = [state for name, state in fields.items() if name.startswith("s:")]
    return round(steps.count("done") / len(steps), 3) if steps else 0.0


def _video(fields: Mapping[str, str]) -> VideoProgress | None:
    return cast("VideoProgress", read_field("video", fields["video"])) if "video" in fields else None


def step_request(job: NewJob | JobRecord, step: Step) -> StepRequest:
    """Return the message that makes a worker look at ``step`` of ``job``."""
    return StepRequest(
        job_id=job.id,
        step=step,
        priority=job.options.priority,
        request_id=job.request_id,
        trace=job.trace,
    )
