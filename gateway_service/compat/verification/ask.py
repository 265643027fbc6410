"""Submit a verification request to the workers and wait for the answer, with a time limit."""

import asyncio
import time
from dataclasses import dataclass

from gateway_service.http.dependencies import Gateway
from gateway_service.http.threads import fetch
from gateway_service.routes.results import forget
from gateway_service.tasks.submission import Submission, enter
from obscura.contract import JobKind, JobOptions
from obscura.contract.verification import Ask, Envelope, VerificationAnswer, VerificationRequest
from obscura.errors import ObscuraError, ProcessingFailedError, ProcessingTimedOutError
from obscura.jobs import JobRecord, JobState

__all__ = ["WorkerReply", "WorkerRequest", "ask_workers"]

# A worker stores nothing after the deadline; a write that began before it ends within this time.
ENDING_S = 5.0


@dataclass(frozen=True)
class WorkerRequest:
    """A request to the verification workers, with its photos."""

    ask: Ask
    photo: bytes = b""
    standard: bytes = b""
    debug: bool = False
    strict: bool = False
    may_read: bool = True
    """Whether the caller may be shown stored photos."""


@dataclass(frozen=True)
class WorkerReply:
    """The workers' answer, and the picture of matched features where it was requested."""

    answer: VerificationAnswer
    picture: bytes | None = None


def _envelope(request: WorkerRequest, deadline: float) -> bytes:
    message = VerificationRequest(
        ask=request.ask,
        deadline=deadline,
        debug=request.debug,
        strict=request.strict,
        may_read=request.may_read,
    )
    return Envelope(message, request.photo, request.standard).pack()


async def ask_workers(gateway: Gateway, request: WorkerRequest, request_id: str) -> WorkerReply:
    """Return the answer to ``request`` and erase the job and its objects.

    Raises
    ------
    ServiceError
        If storage, job store or queue is unavailable or full.
    ProcessingError
        If there is no answer in time, or the job failed.
    """
    wait_s = gateway.settings.verification_timeout_s
    data = await asyncio.to_thread(_envelope, request, time.time() + wait_s)
    job_id = (await enter(gateway, data, Submission(JobKind.VERIFY, JobOptions(), request_id))).job_id
    try:
        row = await gateway.events.wait_for_end(job_id, wait_s + ENDING_S)
        return await _reply_of(gateway, row)
    finally:
        # Also when the caller hangs up.
        await asyncio.shield(forget(gateway, job_id))


async def _reply_of(gateway: Gateway, row: JobRecord) -> WorkerReply:
    if not row.state.is_end:
        message = "the workers did not answer in time"
        raise ProcessingTimedOutError(message)
    if row.state is not JobState.DONE or row.report is None:
        message = row.error_message or "the workers have no answer"
        raise ProcessingFailedError(message)
    picture = None
    if row.picture is not None:
        try:
            picture = await fetch(gateway.storage, row.picture)
        except ObscuraError:
            # The answer is returned without its picture.
            picture = None
    return WorkerReply(VerificationAnswer.model_validate_json(row.report), picture)
