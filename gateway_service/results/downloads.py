"""Serve redacted pictures and videos as files, with ETag and file name."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import Response
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gateway_service.http.dependencies import Gateway
from gateway_service.http.threads import reading
from obscura.imaging.containers.video import VideoFormat
from obscura.storage import MissingObjectError, Storage

__all__ = ["EXTENSIONS", "StoredResult", "file_response"]

EXTENSIONS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/tiff": "tiff",
    **{kind.media_type: kind.value for kind in VideoFormat},
}


PIECE_BYTES: Final = 1024 * 1024
WHOLE_BYTES: Final = 2 * PIECE_BYTES
"""Files up to this size are read as a whole. It bounds the memory per slow client."""


class StoredResult(NamedTuple):
    """The result of a finished job: the job's id, the key of the object, and its media type."""

    job_id: str
    key: str
    media_type: str


class _Local(NamedTuple):
    """A local file with its metadata, and its content where it is at most `WHOLE_BYTES` long."""

    path: Path
    stat: os.stat_result
    content: bytes | None


def _local(storage: Storage, key: str) -> _Local | None:
    """Return the local file of an object; None where the storage is not a local folder."""
    path = storage.local_path(key)
    if path is None:
        return None
    try:
        stat = path.stat()
        return _Local(path, stat, path.read_bytes() if stat.st_size <= WHOLE_BYTES else None)
    except FileNotFoundError as error:
        message = f"no object {key!r}"
        raise MissingObjectError(message) from error


class _File(FileResponse):
    """A file response that sends small files from memory, and large files and ranges in pieces.

    Starlette reads each piece in a thread, which for a small file takes longer than reading.
    """

    chunk_size = PIECE_BYTES
    content: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.content is None or scope["method"] != "GET" or "range" in Headers(scope=scope):
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.content})


async def file_response(
    gateway: Gateway,
    result: StoredResult,
    if_none_match: str,
    from_remote_storage: Callable[[dict[str, str]], Awaitable[Response]],
) -> Response:
    """Return a response with a result, or 304 where ``if_none_match`` contains its ETag.

    ``from_remote_storage`` makes the response with the given headers where the storage is not a local folder.
    A local file is served by Starlette, which supports Range.
    """
    # The result of a job never changes.
    etag = f'"{result.job_id}"'
    name = f"obscura_{result.job_id}.{EXTENSIONS.get(result.media_type, 'bin')}"
    headers = {"etag": etag, "cache-control": "private, no-store"}
    if not {etag, "*"}.isdisjoint(tag.strip().removeprefix("W/") for tag in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    storage = gateway.storage
    local = await reading(storage, result.key, partial(_local, storage, result.key))
    if local is not None:
        response = _File(
            local.path,
            media_type=result.media_type,
            filename=name,
            headers=headers,
            stat_result=local.stat,
        )
        response.content = local.content
        return response
    headers["content-disposition"] = f'attachment; filename="{name}"'
    return await from_remote_storage(headers)
