"""Small files of a folder are handled in the event loop, everything else in a thread, with equal results."""

import asyncio
import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gateway_service.http.dependencies import Gateway
from gateway_service.http.threads import AT_ONCE_BYTES, fetch, is_quick, run_in_thread
from gateway_service.tasks.submission import Submission, submit
from obscura.contract import JobKind, JobOptions
from obscura.errors import LookupFailedError, UnsupportedFormatError
from obscura.settings import Settings
from obscura.storage import Storage
from tests.gateways import in_gateway

KEY = "results/a.b"


def stored_in(path: Path, kind: str) -> Storage:
    """Return a storage in a folder, or one that counts as remote."""
    return Storage.in_folder(path) if kind == "folder" else Storage.in_memory()


def test_a_thread_has_its_turn_where_work_is_not_quick() -> None:
    """The loop's own thread does what is quick, another one the rest."""
    for quick in (True, False):
        used = asyncio.run(run_in_thread(threading.get_ident, quick=quick))
        assert (used == threading.get_ident()) is quick


def test_quick_is_what_is_small_and_in_a_folder(tmp_path: Path) -> None:
    """A bucket, a large file and one of unknown length may take their time."""
    near = Storage.in_folder(tmp_path)
    assert is_quick(near, AT_ONCE_BYTES)
    assert not is_quick(near, AT_ONCE_BYTES + 1)
    assert not is_quick(near, None)
    assert not is_quick(Storage.in_memory(), 0)


@pytest.mark.parametrize("kind", ["folder", "remote"])
@pytest.mark.parametrize("size", [0, AT_ONCE_BYTES, AT_ONCE_BYTES + 1])
def test_an_object_is_fetched_wherever_it_lies(tmp_path: Path, size: int, kind: str) -> None:
    """The same bytes, and the same error for what is not there."""
    storage = stored_in(tmp_path, kind)
    storage.put(KEY, bytes(size))
    assert asyncio.run(fetch(storage, KEY)) == bytes(size)
    with pytest.raises(LookupFailedError):
        asyncio.run(fetch(storage, "results/other.b"))


@pytest.mark.parametrize("kind", ["folder", "remote"])
def test_an_upload_is_taken_either_way(settings: Settings, portrait: Path, kind: str) -> None:
    """The photo is stored, and where the gate refuses it nothing is."""
    photo, text = portrait.read_bytes(), b"text, " * 100
    assert len(photo) <= AT_ONCE_BYTES
    wanted = Submission(JobKind.BLUR, JobOptions(), "request")

    async def work(gateway: Gateway) -> None:
        gateway = replace(gateway, storage=stored_in(settings.storage_dir, kind))
        with pytest.raises(UnsupportedFormatError):
            await submit(gateway, io.BytesIO(text), wanted, len(text))
        assert gateway.storage.keys(("photos",)) == []
        created = await submit(gateway, io.BytesIO(photo), wanted, len(photo))
        assert gateway.storage.get(f"photos/{created.job_id}") == photo

    in_gateway(settings, work)
