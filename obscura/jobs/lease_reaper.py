"""The lease reaper: requeue steps whose lease expired, fail those out of attempts."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import cast

import structlog

from obscura.contract import Queue, StepRequest
from obscura.contract.messages import STEP_TASKS
from obscura.errors import ServiceError, UnknownTaskError
from obscura.jobs.commands import ACTIVE, METRICS
from obscura.jobs.records import step_request
from obscura.jobs.store import AsyncJobStore
from obscura.observability import catalogue

__all__ = ["Reaper"]

log = structlog.get_logger(__name__)
AsyncSender = Callable[[StepRequest], Awaitable[None]]


class Reaper:
    """Requeues or fails the steps of jobs whose lease has expired."""

    def __init__(self, job_store: AsyncJobStore, send: AsyncSender) -> None:
        self._job_store = job_store
        self._send = send

    async def round(self) -> None:
        """Check every job whose lease has expired, once. A job that raises is failed and stops no other.

        Raises
        ------
        ServiceError
            If the job store is away.
        """
        job_store = self._job_store
        waiting: dict[str, frozenset[tuple[str, str]]] = {}
        for job_id in await job_store.run(job_store.calls.due(ACTIVE)):
            try:
                await self._resend_lost_steps(job_id, waiting)
            except ServiceError:
                raise
            except UnknownTaskError:
                # Erased meanwhile.
                continue
            except Exception as error:
                log.exception("job_given_up", error=type(error).__name__)
                await job_store.run(job_store.calls.fail_unreadable(job_id))
        # A worker that died with a message has left room in its queue for the next one.
        await job_store.run(job_store.calls.hand_out(Queue))

    async def _resend_lost_steps(self, job_id: str, waiting: dict[str, frozenset[tuple[str, str]]]) -> None:
        """Send the steps of a job again whose messages are lost; ``waiting`` caches messages by queue."""
        job_store = self._job_store
        for step in await job_store.run(job_store.calls.reap(job_id)):
            record = await job_store.read(job_id)
            if record.state.is_end:
                return
            priority_queue = STEP_TASKS[step].queue.priority_queue(record.options.priority)
            if priority_queue not in waiting:
                waiting[priority_queue] = await self._waiting_in(priority_queue)
            # A message that is still in the queue is not lost; a second one would only lengthen the queue.
            if (job_id, step.value) not in waiting[priority_queue]:
                await self._send(step_request(record, step))
                await job_store.run(
                    job_store.calls.write(METRICS, "HINCRBY", catalogue.REQUEUED.series(step), 1)
                )
                log.info("step_sent_again", step=step.value, request_id=record.request_id)

    async def _waiting_in(self, priority_queue: str) -> frozenset[tuple[str, str]]:
        """Return (job id, step) of every message in a queue, which kombu keeps as a list of its name."""
        texts = await cast("Awaitable[list[str]]", self._job_store.client.lrange(priority_queue, 0, -1))
        return frozenset(_named_in(text) for text in texts)


def _named_in(message: str) -> tuple[str, str]:
    """Return (job id, step) of a Celery message (JSON in base64 in JSON); empty texts for foreign ones."""
    try:
        payload = json.loads(base64.b64decode(json.loads(message)["body"]))[0][0]
        return payload["job_id"], payload["step"]
    except (ValueError, KeyError, IndexError, TypeError):
        return "", ""
