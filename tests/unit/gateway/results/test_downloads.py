"""A small file is read at once and a large one in pieces, and nobody can tell them apart."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import httpx
import pytest
from fastapi import Response

from gateway_service.results.downloads import WHOLE_BYTES, StoredResult, file_response
from obscura.errors import LookupFailedError
from obscura.storage import Storage

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from gateway_service.http.dependencies import Gateway

KEY = "results/a.b"


async def from_remote_storage(_headers: dict[str, str]) -> Response:
    """Stand for a bucket, of which there is none here."""
    pytest.fail("the storage is a folder")


def answers(folder: Path, data: bytes, *asked: dict[str, str]) -> list[httpx.Response]:
    """Return what requests with such headers are answered."""
    storage = Storage.in_folder(folder)
    storage.put(KEY, data)
    gateway = cast("Gateway", SimpleNamespace(storage=storage))

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        response = await file_response(
            gateway, StoredResult("job", KEY, "image/jpeg"), "", from_remote_storage
        )
        await cast("ASGIApp", response)(scope, receive, send)  # type: ignore[arg-type]

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get("/", headers=headers) for headers in asked]

    return asyncio.run(ask())


@pytest.mark.parametrize("size", [0, 1, 1000, WHOLE_BYTES, WHOLE_BYTES + 1, 2 * WHOLE_BYTES])
def test_whole_or_in_part_it_is_the_same_file(tmp_path: Path, size: int) -> None:
    """Bytes, length and headers do not tell how it was read; a Range gives its part of it."""
    data = bytes(number % 251 for number in range(1000)) * (size // 1000) + bytes(size % 1000)
    whole, *parts = answers(tmp_path, data, {}, *([{"range": "bytes=0-9"}] if size else []))
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-length"] == str(size)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["etag"] == '"job"'
    assert whole.headers["last-modified"]
    assert whole.headers["content-disposition"] == 'attachment; filename="obscura_job.jpg"'
    for part in parts:
        assert (part.status_code, part.content) == (206, data[:10])
        assert part.headers["content-range"] == f"bytes 0-{min(size, 10) - 1}/{size}"


def test_a_file_that_is_gone_is_an_answer_and_no_crash(tmp_path: Path) -> None:
    """Erased between the row and the file: that is said as of any other missing object."""
    storage = Storage.in_folder(tmp_path)
    gateway = cast("Gateway", SimpleNamespace(storage=storage))
    with pytest.raises(LookupFailedError):
        asyncio.run(file_response(gateway, StoredResult("job", KEY, "image/jpeg"), "", from_remote_storage))
