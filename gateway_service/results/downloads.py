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
"""Up to here a file is read as a whole: what a gateway may hold for each caller who is slow to take it."""


class StoredResult(NamedTuple):
    """The result of a finished job: the job's id, the key of the object, and what it is."""

    job_id: str
    key: str
    media_type: str


class _Local(NamedTuple):
    """A file of this machine, as it was when it was asked for; ``content`` where it is not large."""

    path: Path
    stat: os.stat_result
    content: bytes | None


def _local(storage: Storage, key: str) -> _Local | None:
    """Return the file that holds an object; None where objects are not files of this machine."""
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
    """A file that was read already where it is not large; a large one, and what a Range asks for, in pieces.

    Each piece is read in a thread, whose start costs more than reading.
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
    from_afar: Callable[[dict[str, str]], Awaitable[Response]],
) -> Response:
    """Return a response that carries a result, or 304 where the caller's copy is told by ``if_none_match``.

    ``from_afar`` makes it of the headers where the storage is not a folder of this machine; a file is served
    by Starlette, in parts where a Range is asked for.
    """
    # A result never changes under its id.
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
    return await from_afar(headers)
