"""Who asks for a job, and how the job is entered for them."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Header, UploadFile

from gateway_service.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.immediate import answered, keeps_nothing
from gateway_service.schemas import TaskAnswer, TaskCreated
from gateway_service.submission import MAX_IDEMPOTENCY_KEY, Submission, enter, hold_to_policy, submit
from obscura.contract import JobKind, JobOptions

KEY_TEXT = "the same key and body return the same task"


@dataclass(frozen=True)
class Caller:
    """One request for a job."""

    gateway: Gateway
    request_id: str
    idempotency_key: str

    def _submission(self, kind: JobKind, options: JobOptions) -> Submission:
        return Submission(kind, options, self.request_id, self.idempotency_key)

    async def submit(self, kind: JobKind, upload: UploadFile, options: JobOptions) -> TaskAnswer:
        """Enter a job for an uploaded photo; raise as ``submission.submit`` does.

        With zero retention the answer is the result itself; else a task that gives it.
        """
        is_immediate = keeps_nothing(options, self.gateway.settings)
        wanted = self._submission(kind, options)
        if is_immediate:
            # There will be nothing that a repeated request could be answered with.
            wanted = replace(wanted, idempotency_key="")
        job_id = await submit(self.gateway, upload.file, wanted)
        return await answered(self.gateway, job_id) if is_immediate else TaskCreated(task_id=job_id)

    async def resubmit(self, kind: JobKind, data: bytes, options: JobOptions) -> TaskAnswer:
        """Enter a job for a photo that has passed the gate before; see ``submit``."""
        hold_to_policy(options, self.gateway.settings)
        is_immediate = keeps_nothing(options, self.gateway.settings)
        job_id = await enter(self.gateway, data, self._submission(kind, options))
        return await answered(self.gateway, job_id) if is_immediate else TaskCreated(task_id=job_id)


def _caller(
    gateway: CurrentGateway,
    request_id: RequestId,
    idempotency_key: Annotated[str, Header(max_length=MAX_IDEMPOTENCY_KEY, description=KEY_TEXT)] = "",
) -> Caller:
    return Caller(gateway, request_id, idempotency_key)


CurrentCaller = Annotated[Caller, Depends(_caller)]
