"""Results as files: a redacted picture or video, by its name, or not again where the caller has it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from fastapi import Response
from fastapi.responses import FileResponse

from gateway_service.dependencies import Gateway
from obscura.imaging.moving import VideoFormat

__all__ = ["EXTENSIONS", "StoredResult", "file_response"]

EXTENSIONS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/tiff": "tiff",
    **{kind.media_type: kind.value for kind in VideoFormat},
}


class StoredResult(NamedTuple):
    """The result of a finished job: the job's id, the key of the object, and what it is."""

    job_id: str
    key: str
    media_type: str


class _LargePieces(FileResponse):
    """A file in pieces of a megabyte: each is read in a thread, whose start costs more than reading."""

    chunk_size = 1024 * 1024


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
    if etag in (tag.strip().removeprefix("W/") for tag in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    path = await asyncio.to_thread(gateway.storage.local_path, result.key)
    if path is not None:
        return _LargePieces(path, media_type=result.media_type, filename=name, headers=headers)
    headers["content-disposition"] = f'attachment; filename="{name}"'
    return await from_afar(headers)
