"""Routes of batches."""

import asyncio
from collections.abc import Collection
from functools import partial
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import FormData, UploadFile

from gateway_service.answers import Problem, TaskError
from gateway_service.batches import batch as batches
from gateway_service.batches.archive import archive
from gateway_service.batches.batch import Batch, BatchStatus
from gateway_service.forms import MASK_TEXT, BatchForm, options_of
from gateway_service.http.dependencies import CurrentGateway, Gateway
from gateway_service.http.spooling import spooled
from gateway_service.http.strictness import check_form
from gateway_service.http.uploads import Upload, files_in_zip
from gateway_service.http.zip_reader import ArchiveLimits
from gateway_service.openapi.components import REFERENCE
from gateway_service.openapi.forms import BINARY
from gateway_service.results.streams import EventStream
from gateway_service.routes.results import EVENTS, MAX_WAIT_S
from gateway_service.routes.tasks import MULTIPART, PROBLEMS
from gateway_service.tasks.callers import CurrentCaller
from gateway_service.tasks.submission import Submission
from obscura.contract import JobKind, Priority
from obscura.errors import InvalidOptionError, MissingFieldError, TooManyFilesError

BatchId = Annotated[str, Path(max_length=64, description="the id that a POST returned")]
PATH = "/batches"
FILE_FIELDS = frozenset({"files", "archive", "mask"})
router = APIRouter(
    prefix=PATH,
    tags=["batches"],
    responses={**PROBLEMS, 404: {"model": Problem}, 408: {"model": Problem}},
)


class BatchFileAccepted(BaseModel):
    """One photo of a new batch; the caller's file name is returned, but not stored."""

    index: int
    name: str
    task_id: str | None = None
    error: TaskError | None = None


class BatchCreated(BaseModel):
    """A batch was created."""

    batch_id: str = Field(examples=["3f0c8c6e-54d6-4c3c-9a55-0d2f8a3f4f0a"])
    files: list[BatchFileAccepted]


def _schema() -> dict[str, Any]:
    schema = BatchForm.model_json_schema(ref_template=REFERENCE + "{model}")
    schema.pop("$defs", None)
    photo = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    schema["properties"] |= {
        "files": {"type": "array", "minItems": 1, "items": photo, "description": "the photos"},
        "archive": {**photo, "description": "or a zip of them; exactly one of the two is sent"},
        "mask": {**photo, "description": MASK_TEXT},
    }
    form = {"schema": schema, "encoding": {"archive": {"contentType": "application/zip"}}}
    return {"requestBody": {"required": True, "content": {MULTIPART: form}}}


def _options(form: FormData) -> BatchForm:
    """Return what is asked for beside the photos; raise RequestValidationError for values not allowed."""
    mask = form.get("mask")
    if isinstance(mask, str) and mask:
        message = "mask must be a file"
        raise InvalidOptionError(message)
    texts: dict[str, Any] = {
        name: value
        for name, value in form.multi_items()
        if isinstance(value, str) and name not in FILE_FIELDS
    }
    texts["classes"] = [value for value in form.getlist("classes") if isinstance(value, str)]
    try:
        return BatchForm.model_validate(texts)
    except ValidationError as error:
        details = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(details) from error


async def _photos(request: Request, gateway: Gateway) -> tuple[BatchForm, list[Upload], BinaryIO | None]:
    """Parse the form, which may have more files than other forms, into options, photos and mask."""
    settings = gateway.settings
    if not request.headers.get("content-type", "").startswith(MULTIPART):
        message = "required field missing: files"
        raise MissingFieldError(message)
    with spooled():
        form = await request.form(max_files=settings.max_batch_files + 1, max_fields=settings.max_form_fields)
    check_form(form, BatchForm.model_fields.keys() | FILE_FIELDS, {"files", "classes"})
    options = _options(form)
    sent = [item for item in form.getlist("files") if isinstance(item, UploadFile)]
    files = [Upload(item.filename or "", partial(_file_of, item)) for item in sent]
    bundle = form.get("archive")
    if isinstance(bundle, UploadFile):
        if files:
            message = "send either files or an archive"
            raise InvalidOptionError(message)
        limits = ArchiveLimits(
            settings.max_batch_files, settings.max_upload_bytes, settings.max_archive_mb * 1024 * 1024
        )
        files = await asyncio.to_thread(files_in_zip, bundle.file, limits)
    if len(files) > settings.max_batch_files:
        message = f"the batch has {len(files)} photos; at most {settings.max_batch_files}"
        raise TooManyFilesError(message)
    mask = form.get("mask")
    return options, files, mask.file if isinstance(mask, UploadFile) else None


def _file_of(upload: UploadFile) -> BinaryIO:
    return upload.file


@router.post("", openapi_extra=_schema())
async def create_batch(caller: CurrentCaller, request: Request) -> BatchCreated:
    """Find objects in many photos and hide them; each photo becomes a task of low priority."""
    form, photos, mask = await _photos(request, caller.gateway)
    options = options_of(form)
    if form.priority is None:
        options = options.model_copy(update={"priority": Priority.BULK})
    wanted = Submission(JobKind.BLUR, options, caller.request_id, caller.idempotency_key, mask=mask)
    batch = await batches.enter(caller.gateway, photos, wanted, keep_names=form.keep_names)
    return BatchCreated(
        batch_id=batch.id,
        files=[
            BatchFileAccepted(
                index=number,
                name=photo.name,
                task_id=entry.task_id,
                error=None if entry.error is None else TaskError(**entry.error.model_dump()),
            )
            for number, (photo, entry) in enumerate(zip(photos, batch.entries, strict=True), 1)
        ],
    )


@router.get("/{batch_id}", response_model_exclude_none=True)
async def get_batch(
    gateway: CurrentGateway,
    batch_id: BatchId,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for its end")] = 0.0,
) -> BatchStatus:
    """Return the state of each photo."""
    if wait == 0:
        return await batches.status(gateway, await batches.read(gateway, batch_id))
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    with gateway.watches.follow(gateway.events, await _followed(gateway, batch_id)) as watch:
        state = cast("BatchStatus", await watch.first())
        while not state.finished and loop.time() < deadline:
            await watch.after(watch.version, deadline - loop.time())
            state = cast("BatchStatus", await watch.first())
        return state


@router.get("/{batch_id}/events", response_class=StreamingResponse, responses=EVENTS)
async def follow_batch(gateway: CurrentGateway, batch_id: BatchId) -> StreamingResponse:
    """Send the state of a batch whenever it changes, as server-sent events; the last is ``end``."""
    return EventStream(gateway, await _followed(gateway, batch_id))


class _FollowedBatch:
    """A batch as the subject of streams."""

    def __init__(self, gateway: Gateway, batch_id: str) -> None:
        self.name = f"{gateway.job_store.calls.owner} batch {batch_id}"
        self._gateway = gateway
        self._batch = Batch(batch_id, ())

    async def job_ids(self) -> list[str]:
        self._batch = await batches.read(self._gateway, self._batch.id)
        return self._batch.task_ids

    async def read_state(self, known: BaseModel | None, changed: Collection[str]) -> BatchStatus:
        # Ends the streams of a batch that was erased.
        await batches.require_batch(self._gateway, self._batch.id)
        state = known if isinstance(known, BatchStatus) else None
        return await batches.status(self._gateway, self._batch, state, changed)


async def _followed(gateway: Gateway, batch_id: str) -> _FollowedBatch:
    """Return a batch to follow; raise UnknownBatchError where the caller has none of this id."""
    await batches.require_batch(gateway, batch_id)
    return _FollowedBatch(gateway, batch_id)


@router.get(
    "/{batch_id}/archive",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": BINARY}, "description": "the zip"}},
)
async def get_batch_archive(gateway: CurrentGateway, batch_id: BatchId) -> StreamingResponse:
    """Return all pictures with a report as one zip, once every photo has ended."""
    batch = await batches.read(gateway, batch_id)
    pieces = await archive(gateway, batch)
    headers = {"content-disposition": f'attachment; filename="obscura_{batch.id}.zip"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.delete("/{batch_id}", status_code=204)
async def erase_batch(gateway: CurrentGateway, batch_id: BatchId) -> None:
    """Cancel unfinished tasks and erase all photos and results."""
    await batches.erase(gateway, batch_id)
