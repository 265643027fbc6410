"""Who asks for a job, and how the job is entered for them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, UploadFile

from gateway_service.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.schemas import TaskCreated
from gateway_service.submission import Submission, enter, hold_to_policy, submit
from obscura.contract import JobKind, JobOptions


@dataclass(frozen=True)
class Caller:
    """One request for a job."""

    gateway: Gateway
    request_id: str
    idempotency_key: str

    def _submission(self, kind: JobKind, options: JobOptions) -> Submission:
        return Submission(kind, options, self.request_id, self.idempotency_key)

    async def submit(self, kind: JobKind, upload: UploadFile, options: JobOptions) -> TaskCreated:
        """Enter a job for an uploaded photo; raise as ``submission.submit`` does."""
        wanted = self._submission(kind, options)
        return TaskCreated(task_id=await submit(self.gateway, upload.file, wanted))

    async def resubmit(self, kind: JobKind, data: bytes, options: JobOptions) -> TaskCreated:
        """Enter a job for a photo that has passed the gate before."""
        hold_to_policy(options, self.gateway.settings)
        return TaskCreated(task_id=await enter(self.gateway, data, self._submission(kind, options)))


def _caller(
    gateway: CurrentGateway,
    request_id: RequestId,
    idempotency_key: Annotated[str, Header(description="the same key and body return the same task")] = "",
) -> Caller:
    return Caller(gateway, request_id, idempotency_key)


CurrentCaller = Annotated[Caller, Depends(_caller)]
