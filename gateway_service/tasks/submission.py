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
from gateway_service.tasks.extra_classes import require_offered
from gateway_service.webhooks.registration import check_webhook
from obscura.classes.patterns import compiled
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
    """A request for a job; ``mask`` is a privacy mask: a picture of the areas that are hidden in any case."""

    kind: JobKind
    options: JobOptions
    request_id: str
    idempotency_key: str = field(default="")
    batch: str = field(default="")
    mask: BinaryIO | None = field(default=None)

    def with_mask_appended(self, length: int) -> "Submission":
        """Return a copy whose mask, of ``length`` bytes, is appended to the stored upload."""
        return replace(self, options=self.options.model_copy(update={"mask_bytes": length}), mask=None)


@dataclass(frozen=True)
class Taken:
    """A stored upload: its submission, the fingerprint of the request, and the cost of the job.

    The fingerprint is empty without an Idempotency-Key. ``cost`` is that of `NewJob`.
    """

    submission: Submission
    fingerprint: str = ""
    cost: float = 1.0


Take = Callable[[str], Taken]
"""Stores an upload under the given key, possibly in a thread; if it raises, nothing is stored."""


def hold_to_policy(options: JobOptions, settings: Settings) -> None:
    """Refuse options that hide less than this server allows.

    Raises
    ------
    WeakerThanPolicyError
        If there is such an option.
    InvalidOptionError
        If an original would be kept longer than allowed, or a style does not support an option.
    WebhookNotAllowedError
        If the host of the webhook is not on the allow-list.
    """
    check_webhook(options.webhook, settings)
    _require_consistent(options)
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


def _require_consistent(options: JobOptions) -> None:
    """Raise InvalidOptionError for options that do not go together, and for a pattern that is none."""
    if contradictions := options.contradictions():
        raise InvalidOptionError("; ".join(contradictions))
    if options.text_match is not None:
        compiled(options.text_match)


def _residual_check(options: JobOptions, settings: Settings) -> ResidualCheck:
    """Return the check that a request asks for; the server's own where it asks for none."""
    if "residual_check" in options.model_fields_set:
        return options.residual_check
    return ResidualCheck(settings.least_residual_check)


def _admitted(upload: BinaryIO, submission: Submission, settings: Settings) -> tuple[bytes, float]:
    """Validate an upload; return its bytes and megapixels."""
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
    """Return the photo with its mask appended, and the submission with the length of the mask.

    Photo and mask are one stored object, so that both are erased at once.

    Raises
    ------
    PhotoError
        If the mask is no valid picture.
    MaskDoesNotFitError
        If the mask has the aspect ratio of the photo in neither orientation. The worker checks it again
        against the upright photo.
    """
    if submission.mask is None:
        return data, submission
    mask, size = admitted_mask(submission.mask, settings)
    photo = inspect(data).size
    require_fit(size, photo, Size(photo.height, photo.width))
    return data + mask, submission.with_mask_appended(len(mask))


def admitted_mask(upload: BinaryIO, settings: Settings) -> tuple[bytes, Size]:
    """Return the bytes and the size of a valid mask; raise PhotoError for any other."""
    limits = validation_limits(settings)
    try:
        # The photos of a batch share one mask.
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
    """Return the fingerprint of a request: a hash of its file, kind and options."""
    content.update(submission.kind.encode())
    content.update(submission.options.model_dump_json(by_alias=True).encode())
    return content.hexdigest()


async def submit(
    gateway: Gateway, upload: BinaryIO, submission: Submission, length: int | None = None
) -> Created:
    """Create a job for the photo in ``upload``, or return the earlier one of the same Idempotency-Key.

    If any part fails, nothing remains: no photo, no record, no message. ``length`` is the number of bytes
    uploaded, if it is known without reading.

    Raises
    ------
    PhotoError
        If the photo does not pass validation.
    ClassUnavailableError
        If no worker can detect a class.
    RequestError
        If an option is refused, or the idempotency key belongs to another request.
    ServiceError
        If storage, job store or queue is away or full.
    """
    hold_to_policy(submission.options, gateway.settings)
    await require_offered(gateway, submission.kind, submission.options)
    take = partial(_take, gateway, upload, submission)
    # Also for quick uploads, so that fifty at once leave room for requests that only read.
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
    """Store a validated photo under ``key``; raise StorageUnavailableError if that fails.

    ``megapixels`` are estimated from its length if they are not given.
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
    """Measure storing an object under ``key``; delete it if the body raises."""
    try:
        with stage(Stage.STORE):
            yield
    except BaseException:
        # A bucket whose answer came too late may have stored it.
        with suppress(ServiceError):
            storage.delete(key)
        raise


async def enter(gateway: Gateway, data: bytes, submission: Submission) -> Created:
    """Store a validated photo and create its job; see `submit`."""
    take = partial(keep, gateway.storage, data, submission)
    return await enter_taken(gateway, take, quick=is_quick(gateway.storage, len(data)))


async def enter_taken(gateway: Gateway, take: Take, *, quick: bool = False) -> Created:
    """Create a job for the upload that ``take`` stores; see `submit`.

    One call of the job store creates the record and its messages at once.
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
        # Created or not: the client has disconnected.
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
