"""Batches: submit many photos, report the state of each, erase them together.

The job store keeps the ids of a batch's jobs, the errors of refused files, and file names only where the
caller asked for that. Each photo is an ordinary job.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, computed_field

from gateway_service.answers import TaskError, TaskStatus, WebhookProgress
from gateway_service.http.dependencies import Gateway
from gateway_service.http.uploads import Upload, safe_name
from gateway_service.results.serialisers import error_of, report_of, status_of
from gateway_service.routes.results import forget
from gateway_service.tasks.extra_classes import require_offered
from gateway_service.tasks.submission import Submission, hold_to_policy, submit
from gateway_service.webhooks.registration import progress_of_webhook
from obscura.contract import JobKind, JobOptions
from obscura.errors import (
    BatchUnreadableError,
    EmptyPhotoError,
    InvalidOptionError,
    MaskDoesNotFitError,
    PhotoError,
    UnknownBatchError,
)
from obscura.jobs import Created, JobRecord
from obscura.jobs.store import job_store_errors
from obscura.jobs.webhook_deliveries import NewBatch, batch_key, enter_batch, forget_batch

__all__ = [
    "Batch",
    "BatchFile",
    "BatchStatus",
    "enter",
    "erase",
    "read",
    "records_of",
    "require_batch",
    "status",
]

# Added to the retention of results, so that the state can still be read after the last result has expired.
SPARE_S = 24 * 3600


class Entry(BaseModel):
    """One photo of a batch as stored."""

    model_config = ConfigDict(frozen=True)

    task_id: str | None = None
    error: TaskError | None = None
    name: str | None = None


ENTRIES = TypeAdapter(tuple[Entry, ...])


@dataclass(frozen=True)
class Batch:
    """A stored batch."""

    id: str
    entries: tuple[Entry, ...]
    has_webhook: bool = False

    @property
    def task_ids(self) -> list[str]:
        """Ids of the batch's jobs."""
        return [entry.task_id for entry in self.entries if entry.task_id is not None]


class BatchFile(BaseModel):
    """State of one photo."""

    index: int
    name: str | None = None
    task_id: str | None = None
    status: TaskStatus
    verdict: str | None = None
    error: TaskError | None = None


class BatchStatus(BaseModel):
    """State of a batch."""

    batch_id: str
    total: int
    done: int
    failed: int
    files: list[BatchFile]
    webhook: WebhookProgress | None = Field(None, description="where one was asked for")

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way
    @property
    def finished(self) -> bool:
        """Whether all photos have ended."""
        return self.done + self.failed == self.total


async def enter(
    gateway: Gateway, uploads: Sequence[Upload], submission: Submission, *, keep_names: bool
) -> Batch:
    """Submit a job for each photo; a refused photo becomes an entry with its error.

    Raises
    ------
    RequestError
        If the options are invalid, or there are no or too many photos.
    ServiceError
        If a part of the system is unavailable or full; the jobs submitted so far are erased.
    """
    options = submission.options
    hold_to_policy(options, gateway.settings)
    await require_offered(gateway, submission.kind, options)
    if gateway.settings.zero_retention:
        message = "this server keeps nothing: send photos one at a time"
        raise InvalidOptionError(message)
    if not uploads:
        message = "a batch needs at least one photo: `files`, or a zip as `archive`"
        raise EmptyPhotoError(message)
    key = submission.idempotency_key
    owner = gateway.job_store.calls.owner or ""
    batch_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner}\n{key}") if key else uuid.uuid4())
    # One webhook for the whole batch, none for its photos.
    alone = options.model_copy(update={"webhook": None})
    submissions = [
        Submission(
            JobKind.BLUR,
            alone,
            submission.request_id,
            f"{key}\n{number}" if key else "",
            batch_id if options.webhook else "",
            submission.mask,
        )
        for number in range(len(uploads))
    ]
    names = tuple(safe_name(upload.name) if keep_names else None for upload in uploads)
    entered: list[_Entered] = []
    try:
        for upload, photo in zip(uploads, submissions, strict=True):
            entered.append(await _enter_one(gateway, upload, photo))
        entries = tuple(
            item.entry.model_copy(update={"name": name}) for item, name in zip(entered, names, strict=True)
        )
        batch = Batch(batch_id, entries, has_webhook=bool(options.webhook))
        text = ENTRIES.dump_json(entries, exclude_none=True).decode()
        fingerprint = _fingerprint(entered, options)
        record = NewBatch(batch_id, owner, text, fingerprint, options.webhook or "", _ttl(gateway))
        await gateway.job_store.run(enter_batch(record, gateway.settings))
    except BaseException:
        # Jobs of an earlier request with the same idempotency key are kept.
        for item in entered:
            if item.created is not None and item.created.is_new:
                await forget(gateway, item.created.job_id)
        raise
    return batch


@dataclass(frozen=True)
class _Entered:
    """A photo's entry, and its job unless it was refused."""

    entry: Entry
    created: Created | None = None


def _fingerprint(entered: Sequence[_Entered], options: JobOptions) -> str:
    """Return a hash of the options and photos, which must be equal for one idempotency key."""
    digest = hashlib.sha256(options.model_dump_json(by_alias=True).encode())
    for item in entered:
        refused = "" if item.entry.error is None else item.entry.error.code
        digest.update((item.created.fingerprint if item.created else refused).encode())
    return digest.hexdigest()


async def _enter_one(gateway: Gateway, upload: Upload, submission: Submission) -> _Entered:
    try:
        with await asyncio.to_thread(upload.open) as file:
            created = await submit(gateway, file, submission)
            return _Entered(Entry(task_id=created.job_id), created)
    except (PhotoError, MaskDoesNotFitError) as error:
        return _Entered(Entry(error=TaskError(code=error.code, message=error.message)))


def _ttl(gateway: Gateway) -> int:
    return gateway.settings.result_ttl_s + SPARE_S


def _require_owner(gateway: Gateway, owner: str | None) -> None:
    if owner is None or gateway.job_store.calls.owner not in {None, owner}:
        message = "there is no batch of this id"
        raise UnknownBatchError(message)


async def require_batch(gateway: Gateway, batch_id: str) -> None:
    """Raise as `read` does, without reading the entries."""
    with job_store_errors():
        found = gateway.job_store.client.hget(batch_key(batch_id), "owner")
        owner = await cast("Awaitable[str | None]", found)
    _require_owner(gateway, owner)


async def read(gateway: Gateway, batch_id: str) -> Batch:
    """Return a batch.

    Raises
    ------
    UnknownBatchError
        If the caller has no batch of this id.
    BatchUnreadableError
        If its record is damaged.
    """
    record = await gateway.job_store.hash(batch_key(batch_id))
    _require_owner(gateway, record.get("owner", "") if record else None)
    try:
        return Batch(batch_id, ENTRIES.validate_json(record["entries"]), has_webhook="webhook" in record)
    except (KeyError, ValueError) as error:
        message = "the stored record of this batch is damaged; it can only be erased"
        raise BatchUnreadableError(message) from error


async def records_of(gateway: Gateway, batch: Batch) -> list[JobRecord | None]:
    """Return the job records of a batch in its order, None for refused photos and erased jobs."""
    found = iter(await gateway.job_store.read_many(batch.task_ids))
    return [None if entry.task_id is None else next(found) for entry in batch.entries]


async def status(
    gateway: Gateway, batch: Batch, known: BatchStatus | None = None, changed: Collection[str] = ()
) -> BatchStatus:
    """Return the state of a batch; given a ``known`` one, only the records of ``changed`` jobs are read."""
    read = batch.task_ids if known is None else list(changed)
    records = dict(zip(read, await gateway.job_store.read_many(read), strict=True))
    files = [
        _file(number, entry, records.get(entry.task_id or ""))
        if known is None or entry.task_id in records
        else known.files[number - 1]
        for number, entry in enumerate(batch.entries, 1)
    ]
    return BatchStatus(
        batch_id=batch.id,
        total=len(files),
        done=sum(file.status is TaskStatus.SUCCESS for file in files),
        failed=sum(file.status is TaskStatus.FAILURE for file in files),
        files=files,
        webhook=await progress_of_webhook(gateway, f"batch:{batch.id}") if batch.has_webhook else None,
    )


def _file(number: int, entry: Entry, record: JobRecord | None) -> BatchFile:
    state, error, verdict = TaskStatus.FAILURE, entry.error, None
    if record is not None:
        state = status_of(record)
        report = report_of(record)
        verdict = str(report.get("verdict", "")) if report and state is TaskStatus.SUCCESS else None
        error = error_of(record)
    elif entry.task_id is not None:
        error = TaskError(code="erased", message="the result was erased, or its time has run out")
    return BatchFile(
        index=number, name=entry.name, task_id=entry.task_id, status=state, verdict=verdict, error=error
    )


async def erase(gateway: Gateway, batch_id: str) -> None:
    """Erase a batch with its photos and results; those of a damaged record are erased when they expire.

    Raises UnknownBatchError where the caller has no batch of this id.
    """
    try:
        batch = await read(gateway, batch_id)
    except BatchUnreadableError:
        batch = Batch(batch_id, ())
    # First, so that erasing the jobs does not count as the end of the batch.
    await gateway.job_store.run(forget_batch(batch.id, is_quiet=True))
    for task_id in batch.task_ids:
        await forget(gateway, task_id)
    await gateway.job_store.run(forget_batch(batch.id))
