"""Failure handling: steps and workers that were killed or timed out.

A worker's first process tells the ledger of a step whose own process was ended by a limit.

A process that dies for another reason leaves its step to be started again, a few times. One that was ended
because its photo took too long would take too long again: its job fails at once.
"""

import hashlib
import os
import signal
import socket
import threading
import time
from functools import cache
from typing import Any

import structlog
from billiard.einfo import ExceptionInfo
from celery.exceptions import SoftTimeLimitExceeded, WorkerLostError
from celery.signals import worker_shutting_down
from celery.worker.request import Request
from structlog.contextvars import bound_contextvars

from obscura.contract import StepRequest
from obscura.errors import (
    ObscuraError,
    OriginalErasedError,
    ProcessingFailedError,
    ProcessingTimedOutError,
    ServiceError,
)
from obscura.jobs import JobStore, Lease
from obscura.jobs.celery_app import REQUEST_ID, TRACEPARENT
from obscura.observability import trace_ids
from obscura.settings import Settings
from obscura.storage import MissingObjectError

__all__ = ["LITTLE_PATIENCE_S", "answer_to", "bound_shutdown", "request_class", "token_of"]

# What `obscura.imaging.resource_limits` lets the kernel send; billiard puts the name into its message.
LIMITS = ("SIGALRM", "SIGXCPU")
PATIENCE_S = 25.0
# Of a worker whose steps take minutes or hours: to wait for them is to lose the time.
LITTLE_PATIENCE_S = 2.0
GIVING_BACK_S = 4.0
log = structlog.get_logger(__name__)


def token_of(pid: int) -> str:
    """Return the token of whatever process ``pid`` of this machine claims; it does one step at a time.

    Its parent can work it out too, and so end what the process cannot end any more.
    """
    host = hashlib.blake2s(socket.gethostname().encode(), digest_size=4).hexdigest()
    return f"{host}{pid:x}"


def answer_to(error: Exception) -> ObscuraError:
    """Return the error that the owner of a job is told about."""
    match error:
        case MissingObjectError():
            return OriginalErasedError("the photo was erased before it was worked on")
        case ObscuraError():
            return error
        case SoftTimeLimitExceeded():
            return ProcessingTimedOutError("the photo took longer than the time limit")
        case _:
            log.error("step_crashed", exc_info=error)
            return ProcessingFailedError("the photo could not be processed")


class _StepMessage(Request):  # type: ignore[misc]  # celery has no type hints
    """A message in work, as the worker's first process sees it."""

    job_store_settings: Settings | None = None

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001 - celery's signature
        """End the job when the process was killed at the hard limit."""
        with bound_contextvars(**self._ids()):
            if not soft:
                self._end_job()
            super().on_timeout(soft, timeout)

    def on_failure(
        self,
        exc_info: ExceptionInfo,
        send_failed_event: bool = True,  # noqa: FBT001, FBT002 - celery's signature
        return_ok: bool = False,  # noqa: FBT001, FBT002 - celery's signature
    ) -> None:
        """End the job when the process was killed while it opened a photo."""
        # billiard wraps what crosses from one process to another.
        lost = getattr(exc_info.exception, "exc", exc_info.exception)
        with bound_contextvars(**self._ids()):
            if isinstance(lost, WorkerLostError) and any(name in str(lost) for name in LIMITS):
                self._end_job()
            super().on_failure(exc_info, send_failed_event, return_ok)

    def _ids(self) -> dict[str, str]:
        """Return what ties log lines, Celery's own as well, to the request that the step comes from."""
        headers: dict[str, Any] = self.request_dict
        traced = trace_ids(headers.get(TRACEPARENT) or "")
        return {"request_id": headers.get(REQUEST_ID) or "", **traced}

    def _end_job(self) -> None:
        payload: dict[str, Any] = self.args[0]
        step = StepRequest.model_validate(payload)
        lease = Lease(step.job_id, step.step, token_of(self.worker_pid or os.getpid()))
        error = ProcessingTimedOutError("the photo took longer than the time limit")
        job_store = _job_store(self.job_store_settings or Settings())
        try:
            ended = job_store.run(job_store.calls.fail(lease, error.code, error.message))
        except ServiceError as away:
            # The reaper will find the step.
            log.warning("step_not_ended", code=away.code)
        else:
            log.warning("step_killed", step=step.step.value, ended=ended)


@cache
def _job_store(settings: Settings) -> JobStore:
    return JobStore(settings)


def request_class(settings: Settings) -> type[Request]:
    """Return the class of messages in work that keep the ledger of ``settings``."""
    return type("StepMessage", (_StepMessage,), {"job_store_settings": settings})


def bound_shutdown(patience_s: float = PATIENCE_S) -> None:
    """Make SIGTERM end a worker within 30 s: as soon as the steps in work have ended, or without them.

    Celery's own soft shutdown sleeps for its whole time, also where the last step ends after a moment; its
    warm shutdown has no end. So it is a warm one, and after ``patience_s`` a cold one: it gives steps back.
    """

    def begin(how: str, **_signal: object) -> None:
        if how == "Warm":
            threading.Thread(target=_end_for_good, args=(patience_s,), daemon=True).start()

    worker_shutting_down.connect(begin, weak=False)


def _end_for_good(patience_s: float) -> None:
    time.sleep(patience_s)
    log.warning("steps_given_back")
    os.kill(os.getpid(), signal.SIGQUIT)
    time.sleep(GIVING_BACK_S)
    # A broker that does not answer must not hold this process: the reaper finds what it had in work.
    os._exit(1)
