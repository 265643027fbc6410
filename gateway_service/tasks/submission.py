"""Submit a photo: validate, store, create the job record and its message, or nothing at all."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO

from gateway_service.http.dependencies import Gateway
from gateway_service.http.threads import is_quick, run_in_thread
from gateway_service.webhooks.registration import check_webhook
from obscura.contract import JobKind, JobOptions, ResidualCheck
from obscura.errors import (
    InvalidOptionError,
    PhotoError,
    PhotoTooLargeError,
    ServiceError,
    WeakerThanPolicyError,
)
from obscura.geometry import Size
from obscura.imaging.configured_limits import medical_limits, validation_limits
from obscura.imaging.headers import inspect
from obscura.imaging.medical_validation import check_medical
from obscura.imaging.validation import check
from obscura.jobs import Created, NewJob, new_id, step_request
from obscura.jobs.cost import cost_of, megapixels_of
from obscura.observability import Stage, catalogue, count, stage, trace_context
from obscura.redaction.policy import require_fit
from obscura.settings import Settings
from obscura.storage import Storage
from obscura.wording import megabytes

MAX_IDEMPOTENCY_KEY = 200


@dataclass(frozen=True)
class Submission:
    """What a caller asks for; ``mask`` is a picture of what is hidden whatever is found."""

    kind: JobKind
    options: JobOptions
    request_id: str
    idempotency_key: str = field(default="")
    batch: str = field(default="")
    mask: BinaryIO | None = field(default=None)

    def with_mask_behind(self, length: int) -> "Submission":
        """Return it as it is once its mask, of ``length`` bytes, lies behind what was handed in."""
        return replace(self, options=self.options.model_copy(update={"mask_bytes": length}), mask=None)


@dataclass(frozen=True)
class Taken:
    """What lies in the storage under the key of a new job: what is asked for with it, and its fingerprint.

    The fingerprint tells a request from others; it is empty where no Idempotency-Key came with it. ``cost``
    is that of `NewJob`.
    """

    submission: Submission
    fingerprint: str = ""
    cost: float = 1.0


Take = Callable[[str], Taken]
"""Puts a photo under the key that it is given, perhaps in a thread; where it raises it leaves nothing."""


def hold_to_policy(options: JobOptions, settings: Settings) -> None:
    """Refuse options that hide less than this server allows.

    Raises
    ------
    WeakerThanPolicyError
        If there is such an option.
    InvalidOptionError
        If an original should be kept longer than allowed, or a style do what it cannot do.
    WebhookNotAllowedError
        If somebody should be told who is not on the list.
    """
    check_webhook(options.webhook, settings)
    if contradictions := options.contradictions():
        raise InvalidOptionError("; ".join(contradictions))
    weak: list[str] = []
    if options.cells is not None and options.cells > settings.max_cells:
        weak.append(f"cells must be at most {settings.max_cells}")
    if options.grow is not None and options.grow < settings.min_grow:
        weak.append(f"grow must be at least {settings.min_grow}")
    if options.min_confidence is not None and options.min_confidence > settings.max_min_confidence:
        weak.append(f"min_confidence must be at most {settings.max_min_confidence}")
    if _residual_check(options, settings).strength < ResidualCheck(settings.least_residual_check).strength:
        weak.append(f"residual_check must be at least {settings.least_residual_check}")
    if weak:
        raise WeakerThanPolicyError("; ".join(weak))
    if options.retain > settings.max_retain_s:
        message = f"retain must be at most {settings.max_retain_s}"
        raise InvalidOptionError(message)


def _residual_check(options: JobOptions, settings: Settings) -> ResidualCheck:
    """Return the check that a request asks for; the server's own where it asks for none."""
    if "residual_check" in options.model_fields_set:
        return options.residual_check
    return ResidualCheck(settings.least_residual_check)


def _admitted(upload: BinaryIO, submission: Submission, settings: Settings) -> tuple[bytes, float]:
    """Return the bytes of an upload that the gate of its profile lets in, and its megapixels."""
    is_medical = submission.kind is JobKind.LESIONS
    limits = (
        medical_limits(settings) if is_medical else validation_limits(settings, submission.options.frames)
    )
    data = _read(upload, limits.max_bytes)
    if is_medical:
        check_medical(data, limits)
        return data, megapixels_of(len(data))
    header = check(data, limits)
    return data, header.size.width * header.size.height * header.frames / 1e6


def with_mask(data: bytes, submission: Submission, settings: Settings) -> tuple[bytes, Submission]:
    """Return what is stored of a photo and its mask, and a submission that says where one ends.

    One object: whatever erases the photo erases the mask.

    Raises
    ------
    PhotoError
        If the gate refuses the mask.
    MaskDoesNotFitError
        If it fits the photo however that is turned. How it is turned the worker knows, and looks again.
    """
    if submission.mask is None:
        return data, submission
    mask, size = admitted_mask(submission.mask, settings)
    its = inspect(data).size
    require_fit(size, its, Size(its.height, its.width))
    return data + mask, submission.with_mask_behind(len(mask))


def admitted_mask(upload: BinaryIO, settings: Settings) -> tuple[bytes, Size]:
    """Return the bytes and the size of a mask that the gate lets in; raise PhotoError for any other."""
    limits = validation_limits(settings)
    try:
        # One mask may go with many photos.
        upload.seek(0)
        data = _read(upload, limits.max_bytes)
        return data, check(data, limits).size
    except PhotoError as error:
        message = f"mask: {error.message}"
        raise type(error)(message) from error


def _read(upload: BinaryIO, limit: int) -> bytes:
    data = upload.read(limit + 1)
    if len(data) > limit:
        length = upload.seek(0, os.SEEK_END) if upload.seekable() else len(data)
        message = f"the photo has {megabytes(length)}; at most {megabytes(limit)} are accepted"
        raise PhotoTooLargeError(message)
    return data


def _fingerprint(data: bytes, submission: Submission) -> str:
    return fingerprint_of(hashlib.sha256(data), submission)


def fingerprint_of(content: "hashlib._Hash", submission: Submission) -> str:
    """Return what tells a request from others: of its file the hash so far, of the rest all."""
    content.update(submission.kind.encode())
    content.update(submission.options.model_dump_json(by_alias=True).encode())
    return content.hexdigest()


async def submit(
    gateway: Gateway, upload: BinaryIO, submission: Submission, length: int | None = None
) -> Created:
    """Enter a job for the photo in ``upload``; an Idempotency-Key may name an earlier one instead.

    Where any part of it fails nothing stays behind: no photo, no row, no message. ``length`` is that of
    everything uploaded, where it is known without reading.

    Raises
    ------
    PhotoError
        If the gate refuses the photo.
    RequestError
        If an option is refused, or the idempotency key belongs to another request.
    ServiceError
        If storage, job store or queue is away or full.
    """
    hold_to_policy(submission.options, gateway.settings)
    take = partial(_take, gateway, upload, submission)
    # Also where it is quick: fifty uploads at once leave room for requests that only ask.
    async with gateway.intake:
        return await enter_taken(gateway, take, quick=is_quick(gateway.storage, length))


def _take(gateway: Gateway, upload: BinaryIO, submission: Submission, key: str) -> Taken:
    settings = gateway.settings
    try:
        with stage(Stage.VALIDATE):
            data, megapixels = _admitted(upload, submission, settings)
        data, submission = with_mask(data, submission, settings)
    except PhotoError as error:
        count(catalogue.UPLOADS_REJECTED, error.code)
        raise
    return keep(gateway.storage, data, submission, key, megapixels)


def keep(
    storage: Storage, data: bytes, submission: Submission, key: str, megapixels: float | None = None
) -> Taken:
    """Put a photo that has passed the gate under ``key``; raise StorageUnavailableError where that fails.

    ``megapixels`` are guessed from its length where they are not known.
    """
    if megapixels is None:
        megapixels = megapixels_of(len(data))
    cost = cost_of(submission.kind, submission.options, megapixels)
    taken = Taken(submission, _fingerprint(data, submission) if submission.idempotency_key else "", cost)
    with storing(storage, key):
        storage.put(key, data)
    return taken


@contextmanager
def storing(storage: Storage, key: str) -> Iterator[None]:
    """Time what is stored under ``key`` inside; where it fails nothing stays there."""
    try:
        with stage(Stage.STORE):
            yield
    except BaseException:
        # A bucket that answered too late may hold it all the same.
        with suppress(ServiceError):
            storage.delete(key)
        raise


async def enter(gateway: Gateway, data: bytes, submission: Submission) -> Created:
    """Store a photo that has passed the gate and enter its job; see ``submit``."""
    take = partial(keep, gateway.storage, data, submission)
    return await enter_taken(gateway, take, quick=is_quick(gateway.storage, len(data)))


async def enter_taken(gateway: Gateway, take: Take, *, quick: bool = False) -> Created:
    """Enter a job for what ``take`` puts into the storage; see ``submit``.

    One turn of a thread, or none where it is quick, and one call of the job store, which enters the row and
    wakes the workers in one.
    """
    job_id = new_id(gateway.job_store.calls.owner or "")
    key = f"photos/{job_id}"
    taken = await run_in_thread(partial(take, key), quick=quick)
    is_new = False
    try:
        job = _job(gateway, job_id, taken)
        outbox_messages = [gateway.outbox_messages.write(step_request(job, step)) for step in job.first_steps]
        created = await gateway.job_store.run(gateway.job_store.calls.create(job, outbox_messages))
        is_new = created.is_new
    except asyncio.CancelledError:
        # Entered or not: nobody waits for it any more.
        with suppress(ServiceError):
            await gateway.job_store.run(gateway.job_store.calls.erase(job_id, why="withdrawn"))
        raise
    finally:
        if not is_new:
            await asyncio.to_thread(gateway.storage.delete, key)
    return created


def _job(gateway: Gateway, job_id: str, taken: Taken) -> NewJob:
    submission, settings = taken.submission, gateway.settings
    zero_retention = submission.options.zero_retention or settings.zero_retention
    return NewJob(
        id=job_id,
        kind=submission.kind,
        options=submission.options.model_copy(
            update={
                "residual_check": _residual_check(submission.options, settings),
                "content_credentials": submission.options.content_credentials or settings.content_credentials,
                "zero_retention": zero_retention,
            }
        ),
        photo=f"photos/{job_id}",
        request_id=submission.request_id,
        idempotency_key=submission.idempotency_key,
        fingerprint=taken.fingerprint,
        pipeline=settings.pipeline,
        trace=trace_context(),
        batch=submission.batch,
        cost=taken.cost,
    )
