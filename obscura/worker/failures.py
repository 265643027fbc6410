"""Failure handling: steps and workers that were killed or timed out.

If a pool process is killed by a time limit, the worker's main process fails the job in the job store at once:
another attempt would time out again. If a pool process dies for any other reason, the step's lease expires
and the step is started again, up to `Settings.max_attempts` times.
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

__all__ = ["LONG_STEP_GRACE_S", "bound_shutdown", "claim_token", "error_for", "request_class"]

# Signals that the limits of `obscura.imaging.resource_limits` send; billiard's message contains the name.
LIMITS = ("SIGALRM", "SIGXCPU")
SHUTDOWN_GRACE_S = 25.0
# For workers whose steps take minutes or hours: waiting 25 s would not let them finish.
LONG_STEP_GRACE_S = 2.0
COLD_SHUTDOWN_S = 4.0
log = structlog.get_logger(__name__)


def claim_token(pid: int) -> str:
    """Return the claim token of process ``pid`` on this machine.

    A process works on one step at a time, so host and pid identify the claim. The main process computes the
    same token to fail the step of a pool process that was killed.
    """
    host = hashlib.blake2s(socket.gethostname().encode(), digest_size=4).hexdigest()
    return f"{host}{pid:x}"


def error_for(error: Exception) -> ObscuraError:
    """Return the error that is recorded in the job for an exception of its handler."""
    match error:
        case MissingObjectError():
            return OriginalErasedError("the photo was erased before it was processed")
        case ObscuraError():
            return error
        case SoftTimeLimitExceeded():
            return ProcessingTimedOutError("the photo took longer than the time limit")
        case _:
            log.error("step_crashed", exc_info=error)
            return ProcessingFailedError("the photo could not be processed")


class _StepMessage(Request):  # type: ignore[misc]  # celery has no type hints
    """Celery's request of a message in work, as the main process sees it."""

    job_store_settings: Settings | None = None

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001 - celery's signature
        """Fail the job if the pool process was killed at the hard limit."""
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
        """Fail the job if the pool process was killed while it decoded a photo."""
        # billiard wraps exceptions that it sends from one process to another.
        lost = getattr(exc_info.exception, "exc", exc_info.exception)
        with bound_contextvars(**self._ids()):
            if isinstance(lost, WorkerLostError) and any(name in str(lost) for name in LIMITS):
                self._end_job()
            super().on_failure(exc_info, send_failed_event, return_ok)

    def _ids(self) -> dict[str, str]:
        """Return the request id and trace id of the HTTP request, for all log lines including Celery's."""
        headers: dict[str, Any] = self.request_dict
        traced = trace_ids(headers.get(TRACEPARENT) or "")
        return {"request_id": headers.get(REQUEST_ID) or "", **traced}

    def _end_job(self) -> None:
        payload: dict[str, Any] = self.args[0]
        step = StepRequest.model_validate(payload)
        lease = Lease(step.job_id, step.step, claim_token(self.worker_pid or os.getpid()))
        error = ProcessingTimedOutError("the photo took longer than the time limit")
        job_store = _job_store(self.job_store_settings or Settings())
        try:
            ended = job_store.run(job_store.calls.fail(lease, error.code, error.message))
        except ServiceError as away:
            # The lease reaper will find the step.
            log.warning("step_not_ended", code=away.code)
        else:
            log.warning("step_killed", step=step.step.value, ended=ended)


@cache
def _job_store(settings: Settings) -> JobStore:
    return JobStore(settings)


def request_class(settings: Settings) -> type[Request]:
    """Return Celery's request class for a worker with the job store of ``settings``."""
    return type("StepMessage", (_StepMessage,), {"job_store_settings": settings})


def bound_shutdown(grace_s: float = SHUTDOWN_GRACE_S) -> None:
    """Make SIGTERM end a worker within 30 s.

    Celery's soft shutdown always sleeps for its full time, and its warm shutdown waits without a limit. This
    is a warm shutdown, followed after ``grace_s`` seconds by a cold one, which puts unfinished messages back.
    """

    def begin(how: str, **_signal: object) -> None:
        if how == "Warm":
            threading.Thread(target=_shut_down_after, args=(grace_s,), daemon=True).start()

    worker_shutting_down.connect(begin, weak=False)


def _shut_down_after(grace_s: float) -> None:
    time.sleep(grace_s)
    log.warning("steps_given_back")
    os.kill(os.getpid(), signal.SIGQUIT)
    time.sleep(COLD_SHUTDOWN_S)
    # A broker that does not answer must not keep this process alive; the lease reaper requeues its steps.
    os._exit(1)
