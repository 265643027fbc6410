"""The whole system with its photos in a bucket."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
import redis
from fastapi import FastAPI

from gateway_service.app import create_app
from obscura.settings import Settings
from tests.photos import encoded, portrait
from tests.s3 import S3Server, environment, failing_server, settings_for
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end


def _result(client: httpx.Client, task: str) -> dict[str, object]:
    for _ in range(1800):
        answer: dict[str, object] = client.get(f"/task_result/{task}").json()
        if answer["status"] in {"SUCCESS", "FAILURE"}:
            return answer
        time.sleep(0.1)
    raise AssertionError(task)


@pytest.fixture(scope="module")
def bucket_client(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Start a system on the bucket and return a client of it."""
    folder = tmp_path_factory.mktemp("bucket") / "data"
    running = RunningSystem("standalone", folder, settings=environment(s3_server.url))
    try:
        running.wait_until_ready()
        with httpx.Client(base_url=running.url, timeout=60) as client:
            yield client
    finally:
        running.stop()


def test_a_photo_is_blurred_by_way_of_the_bucket(bucket_client: httpx.Client, s3_server: S3Server) -> None:
    """The original leaves the bucket at the end, the result with its task."""
    photo = encoded(portrait(), quality=90)
    task = bucket_client.post("/blur_faces", files={"file": ("p.jpg", photo)}).json()["task_id"]
    assert _result(bucket_client, task)["status"] == "SUCCESS"
    picture = bucket_client.get(f"/task_result/{task}/image")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content != photo
    part = bucket_client.get(f"/task_result/{task}/image", headers={"range": "bytes=2-9"})
    assert (part.status_code, part.content) == (206, picture.content[2:10])
    deadline = time.monotonic() + 120
    while len(s3_server.paths()) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [key.split("/")[0] for key in s3_server.paths()] == ["results"]
    assert bucket_client.delete(f"/task_result/{task}").status_code == 204
    assert s3_server.paths() == []


def test_a_refused_photo_leaves_nothing_in_the_bucket(
    bucket_client: httpx.Client, s3_server: S3Server
) -> None:
    """Not an image: the task is refused at once."""
    assert bucket_client.post("/blur_faces", files={"file": ("p.jpg", b"text")}).status_code == 415
    assert s3_server.paths() == []


async def _asked(app: FastAPI) -> tuple[httpx.Response, httpx.Response]:
    """Return what a gateway without workers says to a photo, and whether it is ready."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client,
    ):
        photo = {"file": ("p.jpg", encoded(portrait()))}
        return await client.get("/readyz"), await client.post("/blur_faces", files=photo)


def test_a_bucket_that_is_down_is_a_clear_answer(settings: Settings) -> None:
    """503 with the stable code, no task entered, and the gateway says that it is not ready."""
    with failing_server(503) as url:
        away = settings_for(url).model_copy(update={"redis_url": settings.redis_url})
        ready, answer = asyncio.run(_asked(create_app(away)))
        assert (ready.status_code, "storage" in ready.text) == (503, True)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    with redis.Redis.from_url(settings.redis_url) as job_store:
        assert not [key for key in job_store.scan_iter() if b"job:" in key]
