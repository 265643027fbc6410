"""Many photos as one: what was handed in, what became of each, all results in one archive.

The ledger keeps of a batch the ids of its jobs, why a file was refused, and names only where the caller asked
for that; each photo is a job like any other.
"""

import asyncio
import lzma
import uuid
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, computed_field
from redis.exceptions import RedisError

from gateway_service.answers import error_of, report_of, status_of
from gateway_service.dependencies import Gateway
from gateway_service.routes.results import forget
from gateway_service.schemas import TaskError, TaskStatus
from gateway_service.submission import Submission, hold_to_policy, submit
from obscura.contract import JobKind
from obscura.errors import (
    EmptyPhotoError,
    InvalidOptionError,
    InvalidRequestError,
    PhotoError,
    QueueUnavailableError,
    TooManyFilesError,
    UndecodablePhotoError,
    UnknownBatchError,
)
from obscura.jobs import JobRow

__all__ = [
    "FALLBACK_NAME",
    "Batch",
    "BatchFile",
    "BatchStatus",
    "Upload",
    "enter",
    "erase",
    "files_in_zip",
    "read",
    "rows_of",
    "status",
]

KEY = "obscura:batch:"
# Beyond the life of its last result, so that its end can still be told.
SPARE_S = 24 * 3600
MAX_NAME = 200
FALLBACK_NAME = "photo"
FORBIDDEN = frozenset('/\\:*?"<>|')
# What reading a zip raises, by the ways in which it can be damaged, packed or closed with a password.
ZIP_FAULTS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True)
class Upload:
    """One photo of a batch: its name as the caller gave it, and what opens it."""

    name: str
    open: Callable[[], BinaryIO]


class Entry(BaseModel):
    """One photo as the ledger keeps it."""

    model_config = ConfigDict(frozen=True)

    task_id: str | None = None
    error: TaskError | None = None
    name: str | None = None


ENTRIES = TypeAdapter(tuple[Entry, ...])


@dataclass(frozen=True)
class Batch:
    """A batch as it was entered."""

    id: str
    entries: tuple[Entry, ...]

    @property
    def task_ids(self) -> list[str]:
        """The jobs of the batch."""
        return [entry.task_id for entry in self.entries if entry.task_id is not None]


class BatchFile(BaseModel):
    """What became of one photo."""

    index: int
    name: str | None = None
    task_id: str | None = None
    status: TaskStatus
    verdict: str | None = None
    error: TaskError | None = None


class BatchStatus(BaseModel):
    """Where a batch stands."""

    batch_id: str
    total: int
    done: int
    failed: int
    files: list[BatchFile]

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way
    @property
    def finished(self) -> bool:
        """Whether nothing more is to come."""
        return self.done + self.failed == self.total


def _safe_name(name: str) -> str:
    """Return the last part of a name, without what could make it a path or invisible."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in FORBIDDEN)
    return kept.strip(" .")[:MAX_NAME] or FALLBACK_NAME


def files_in_zip(file: BinaryIO, max_files: int) -> list[Upload]:
    """Return the photos of a zip; each is unpacked when it is its turn, no farther than a photo may be long.

    Raises
    ------
    InvalidRequestError
        If it is no zip.
    TooManyFilesError
        If it has too many files.
    """
    try:
        bundle = zipfile.ZipFile(file)
        members = [item for item in bundle.infolist() if not item.is_dir()]
    except ZIP_FAULTS as error:
        message = "the archive is no zip that can be read"
        raise InvalidRequestError(message) from error
    if len(members) > max_files:
        message = f"the archive has {len(members)} files, at most {max_files} are taken"
        raise TooManyFilesError(message)
    return [Upload(item.filename, partial(_member, bundle, item)) for item in members]


def _member(bundle: zipfile.ZipFile, item: zipfile.ZipInfo) -> BinaryIO:
    return cast("BinaryIO", bundle.open(item))


async def enter(
    gateway: Gateway, uploads: Sequence[Upload], submission: Submission, *, keep_names: bool
) -> Batch:
    """Enter a job for each photo; a photo that is refused is an entry with its error and stops no other.

    Raises
    ------
    RequestError
        If the options are refused, or there are no or too many photos.
    ServiceError
        If a part of the system is away or full: then nothing of the batch stays.
    """
    hold_to_policy(submission.options, gateway.settings)
    if gateway.settings.zero_retention:
        message = "this server keeps nothing: send photos one at a time"
        raise InvalidOptionError(message)
    if not uploads:
        message = "a batch needs at least one photo: `files`, or a zip as `archive`"
        raise EmptyPhotoError(message)
    key = submission.idempotency_key
    owner = gateway.ledger.calls.owner or ""
    batch_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner}\n{key}") if key else uuid.uuid4())
    entries: list[Entry] = []
    try:
        for number, upload in enumerate(uploads):
            own_key = f"{key}\n{number}"[-MAX_NAME:] if key else ""
            wanted = Submission(JobKind.BLUR, submission.options, submission.request_id, own_key)
            entries.append(await _enter_one(gateway, upload, wanted, keep_names=keep_names))
        batch = Batch(batch_id, tuple(entries))
        await _store(gateway, batch, owner)
    except BaseException:
        for entry in entries:
            if entry.task_id is not None:
                await forget(gateway, entry.task_id)
        raise
    return batch


async def _enter_one(gateway: Gateway, upload: Upload, wanted: Submission, *, keep_names: bool) -> Entry:
    name = _safe_name(upload.name) if keep_names else None
    try:
        with await asyncio.to_thread(upload.open) as file:
            return Entry(task_id=await submit(gateway, file, wanted), name=name)
    except PhotoError as error:
        return Entry(error=TaskError(code=error.code, message=error.message), name=name)
    except ZIP_FAULTS:
        # Damaged, or closed with a password.
        error_in_zip = TaskError(code=UndecodablePhotoError.code, message="the archive does not give it out")
        return Entry(error=error_in_zip, name=name)


def _ttl(gateway: Gateway) -> int:
    return gateway.settings.result_ttl_s + SPARE_S


async def _store(gateway: Gateway, batch: Batch, owner: str) -> None:
    row: dict[Any, Any] = {
        "owner": owner,
        "entries": ENTRIES.dump_json(batch.entries, exclude_none=True).decode(),
    }
    try:
        pipeline = gateway.ledger.client.pipeline()
        pipeline.hset(KEY + batch.id, mapping=row)
        pipeline.expire(KEY + batch.id, _ttl(gateway))
        await pipeline.execute()
    except (RedisError, OSError) as error:
        message = "the job ledger cannot be reached"
        raise QueueUnavailableError(message) from error


async def read(gateway: Gateway, batch_id: str) -> Batch:
    """Return a batch; raise UnknownBatchError where there is none that the caller may see."""
    try:
        pending = cast("Awaitable[dict[str, str]]", gateway.ledger.client.hgetall(KEY + batch_id))
        row = await pending
    except (RedisError, OSError) as error:
        message = "the job ledger cannot be reached"
        raise QueueUnavailableError(message) from error
    if not row or gateway.ledger.calls.owner not in {None, row["owner"]}:
        message = "there is no batch of this id"
        raise UnknownBatchError(message)
    return Batch(batch_id, ENTRIES.validate_json(row["entries"]))


async def rows_of(gateway: Gateway, batch: Batch) -> list[JobRow | None]:
    """Return the jobs of a batch in its order, None for each that is not there (any more)."""
    found = iter(await gateway.ledger.read_many(batch.task_ids))
    return [None if entry.task_id is None else next(found) for entry in batch.entries]


async def status(gateway: Gateway, batch: Batch) -> BatchStatus:
    """Return where a batch stands."""
    rows = await rows_of(gateway, batch)
    files = [
        _file(number, entry, row)
        for number, (entry, row) in enumerate(zip(batch.entries, rows, strict=True), 1)
    ]
    return BatchStatus(
        batch_id=batch.id,
        total=len(files),
        done=sum(file.status is TaskStatus.SUCCESS for file in files),
        failed=sum(file.status is TaskStatus.FAILURE for file in files),
        files=files,
    )


def _file(number: int, entry: Entry, row: JobRow | None) -> BatchFile:
    state, error, verdict = TaskStatus.FAILURE, entry.error, None
    if row is not None:
        state = status_of(row)
        report = report_of(row)
        verdict = str(report["verdict"]) if report and state is TaskStatus.SUCCESS else None
        error = error_of(row)
    elif entry.task_id is not None:
        error = TaskError(code="erased", message="the result was erased, or its time has run out")
    return BatchFile(
        index=number, name=entry.name, task_id=entry.task_id, status=state, verdict=verdict, error=error
    )


async def erase(gateway: Gateway, batch: Batch) -> None:
    """Forget a batch, its photos and its results."""
    for task_id in batch.task_ids:
        await forget(gateway, task_id)
    try:
        await gateway.ledger.client.delete(KEY + batch.id)
    except (RedisError, OSError) as error:
        message = "the job ledger cannot be reached"
        raise QueueUnavailableError(message) from error
