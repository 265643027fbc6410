"""The caller of a request: key, limits, and submission on its behalf."""

from dataclasses import dataclass
from typing import Annotated, BinaryIO

from fastapi import Depends, Header, Response, UploadFile

from gateway_service.answers import TaskAnswer, TaskCreated
from gateway_service.http.dependencies import CurrentGateway, Gateway, RequestId
from gateway_service.http.threads import is_quick
from gateway_service.tasks.direct import picture_answer, picture_wish
from gateway_service.tasks.submission import (
    MAX_IDEMPOTENCY_KEY,
    Submission,
    Taken,
    enter_taken,
    hold_to_policy,
    keep,
    submit,
    with_mask,
)
from gateway_service.tasks.synchronous import answered, keeps_nothing
from gateway_service.tasks.video_submission import submit_video
from obscura.contract import JobKind, JobOptions
from obscura.jobs import Created

KEY_TEXT = "the same key and body return the same task"


def _file_of(upload: UploadFile | None) -> BinaryIO | None:
    return None if upload is None else upload.file


def _length_of(*uploads: UploadFile | None) -> int | None:
    """Return how long files of a form are together, as the parser counted them; None where it has not."""
    sizes = [upload.size for upload in uploads if upload is not None]
    return None if None in sizes else sum(size for size in sizes if size is not None)


@dataclass(frozen=True)
class Caller:
    """One request for a job."""

    gateway: Gateway
    request_id: str
    idempotency_key: str
    accept: str = ""

    def _wanted(self, kind: JobKind, options: JobOptions, mask: UploadFile | None) -> tuple[Submission, bool]:
        """Return what to enter, and whether it is answered at once."""
        is_immediate = keeps_nothing(options, self.gateway.settings)
        # There will be nothing that a repeated request could be answered with.
        key = "" if is_immediate else self.idempotency_key
        return Submission(kind, options, self.request_id, key, mask=_file_of(mask)), is_immediate

    async def _answer(self, created: Created, *, is_immediate: bool) -> TaskAnswer:
        if is_immediate:
            return await answered(self.gateway, created.job_id)
        return TaskCreated(task_id=created.job_id)

    async def submit_video(
        self, upload: UploadFile, options: JobOptions, mask: UploadFile | None = None
    ) -> TaskCreated:
        """Enter a job for an uploaded video; raise as ``video_submission.submit_video`` does."""
        asked = (self.request_id, self.idempotency_key)
        wanted = Submission(JobKind.BLUR_VIDEO, options, *asked, mask=_file_of(mask))
        return TaskCreated(task_id=(await submit_video(self.gateway, upload.file, wanted)).job_id)

    async def submit(
        self, kind: JobKind, upload: UploadFile, options: JobOptions, mask: UploadFile | None = None
    ) -> TaskAnswer:
        """Enter a job for an uploaded photo; raise as ``submission.submit`` does.

        With zero retention the answer is the result itself; else a task that gives it.
        """
        wanted, is_immediate = self._wanted(kind, options, mask)
        created = await submit(self.gateway, upload.file, wanted, _length_of(upload, mask))
        return await self._answer(created, is_immediate=is_immediate)

    async def submit_for_picture(
        self, kind: JobKind, upload: UploadFile, options: JobOptions, mask: UploadFile | None = None
    ) -> TaskAnswer | Response:
        """As ``submit``; the answer is the picture itself if the Accept header asks for an image."""
        wish = picture_wish(self.accept)
        if wish is None:
            return await self.submit(kind, upload, options, mask)
        entered = await self.submit(kind, upload, wish.applied_to(options), mask)
        return await picture_answer(self.gateway, entered)

    async def resubmit(
        self, kind: JobKind, data: bytes, options: JobOptions, mask: UploadFile | None = None
    ) -> TaskAnswer:
        """Create a job for a photo that was validated before; see `submit`."""
        hold_to_policy(options, self.gateway.settings)
        wanted, is_immediate = self._wanted(kind, options, mask)

        def take(key: str) -> Taken:
            return keep(self.gateway.storage, *with_mask(data, wanted, self.gateway.settings), key)

        more = _length_of(mask)
        quick = more is not None and is_quick(self.gateway.storage, len(data) + more)
        created = await enter_taken(self.gateway, take, quick=quick)
        return await self._answer(created, is_immediate=is_immediate)


async def _caller(
    gateway: CurrentGateway,
    request_id: RequestId,
    idempotency_key: Annotated[str, Header(max_length=MAX_IDEMPOTENCY_KEY, description=KEY_TEXT)] = "",
    # OpenAPI leaves Accept to the content types of the answers.
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Caller:
    return Caller(gateway, request_id, idempotency_key, accept)


CurrentCaller = Annotated[Caller, Depends(_caller)]
