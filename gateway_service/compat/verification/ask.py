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

__all__ = ["Answered", "Question", "ask_workers"]

# A worker writes nothing after the deadline; what it began before that ends within this.
ENDING_S = 5.0


@dataclass(frozen=True)
class Question:
    """One request with its photos."""

    ask: Ask
    photo: bytes = b""
    standard: bytes = b""
    debug: bool = False
    strict: bool = False
    may_read: bool = True
    """Whether the caller may be shown stored photos."""


@dataclass(frozen=True)
class Answered:
    """The workers' answer, and the picture that shows how they came to it."""

    answer: VerificationAnswer
    picture: bytes | None = None


def _envelope(question: Question, deadline: float) -> bytes:
    request = VerificationRequest(
        ask=question.ask,
        deadline=deadline,
        debug=question.debug,
        strict=question.strict,
        may_read=question.may_read,
    )
    return Envelope(request, question.photo, question.standard).pack()


async def ask_workers(gateway: Gateway, question: Question, request_id: str) -> Answered:
    """Return the answer to ``question``; nothing of the question stays.

    Raises
    ------
    ServiceError
        If storage, ledger or queue is away or full.
    ProcessingError
        If there is no answer in time, or the workers died of it.
    """
    wait_s = gateway.settings.verification_timeout_s
    data = await asyncio.to_thread(_envelope, question, time.time() + wait_s)
    job_id = (await enter(gateway, data, Submission(JobKind.VERIFY, JobOptions(), request_id))).job_id
    try:
        row = await gateway.events.wait_for_end(job_id, wait_s + ENDING_S)
        return await _answered(gateway, row)
    finally:
        # Also when the caller hangs up.
        await asyncio.shield(forget(gateway, job_id))


async def _answered(gateway: Gateway, row: JobRecord) -> Answered:
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
            # The answer is worth more than the picture that explains it.
            picture = None
    return Answered(VerificationAnswer.model_validate_json(row.report), picture)
