"""Submit a video, streamed to storage without holding it in memory."""

import asyncio
import hashlib
import os
from functools import partial
from typing import BinaryIO

from gateway_service.http.dependencies import Gateway
from gateway_service.http.spooling import spooled
from gateway_service.tasks.extra_classes import require_offered
from gateway_service.tasks.submission import (
    Submission,
    Taken,
    admitted_mask,
    enter_taken,
    fingerprint_of,
    hold_to_policy,
    storing,
)
from obscura.errors import InvalidOptionError, PhotoError
from obscura.imaging.containers.video import HEAD_BYTES, check_video
from obscura.jobs import Created
from obscura.jobs.cost import cost_of, megapixels_of
from obscura.observability import Stage, catalogue, count, stage
from obscura.settings import Settings

__all__ = ["submit_video"]


def _admit(upload: BinaryIO, settings: Settings) -> None:
    """Let a video pass by what can be seen without opening it; everything else the worker sees."""
    length = upload.seek(0, os.SEEK_END)
    upload.seek(0)
    check_video(upload.read(HEAD_BYTES), length, settings.video_max_upload_bytes)


def _put_behind(upload: BinaryIO, mask: BinaryIO, settings: Settings) -> int:
    """Append a mask to its video where that was spooled; return the mask's length.

    One object, as with a photo, so that both are erased at once. The video is not read for it.
    """
    drawn, _ = admitted_mask(mask, settings)
    with spooled():
        upload.seek(0, os.SEEK_END)
        upload.write(drawn)
        upload.flush()
    return len(drawn)


async def _with_mask(gateway: Gateway, upload: BinaryIO, submission: Submission) -> Submission:
    if submission.mask is None:
        return submission
    async with gateway.intake:
        length = await asyncio.to_thread(_put_behind, upload, submission.mask, gateway.settings)
    return submission.with_mask_appended(length)


async def submit_video(gateway: Gateway, upload: BinaryIO, submission: Submission) -> Created:
    """Enter a job for the video in ``upload``; see ``submission.submit``.

    Whether a mask has the shape of the pictures only the worker sees: it would have to open the video.

    Raises
    ------
    InvalidOptionError
        Also if nothing may be kept: a video takes longer than a request lasts.
    """
    settings = gateway.settings
    hold_to_policy(submission.options, settings)
    await require_offered(gateway, submission.kind, submission.options)
    if settings.zero_retention:
        message = "zero retention: this server keeps nothing, and a video takes longer than a request lasts"
        raise InvalidOptionError(message)
    try:
        with stage(Stage.VALIDATE):
            await asyncio.to_thread(_admit, upload, settings)
            submission = await _with_mask(gateway, upload, submission)
    except PhotoError as error:
        count(catalogue.UPLOADS_REJECTED, error.code)
        raise

    return await enter_taken(gateway, partial(_take, gateway, upload, submission))


def _take(gateway: Gateway, upload: BinaryIO, submission: Submission, key: str) -> Taken:
    fingerprint = ""
    cost = cost_of(submission.kind, submission.options, megapixels_of(upload.seek(0, os.SEEK_END)))
    if submission.idempotency_key:
        upload.seek(0)
        fingerprint = fingerprint_of(hashlib.file_digest(upload, "sha256"), submission)  # type: ignore[arg-type]
    upload.seek(0)
    with storing(gateway.storage, key):
        gateway.storage.put_file(key, upload)
    return Taken(submission, fingerprint, cost)
