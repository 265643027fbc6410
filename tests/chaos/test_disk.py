"""The disk that photos are kept on fills up."""

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests import photos
from tests.chaos.tools import wait_until_ready
from tests.end_to_end.test_faceblur import finished
from tests.gateways import RunningGateway
from tests.system import RunningSystem

pytestmark = [pytest.mark.end_to_end, pytest.mark.chaos]
SIZE_MB = 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of a few megabytes, where this user may mount one."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def files(folder: Path) -> list[Path]:
    """Return all files under a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_full_disk_is_said_and_survived(small_disk: Path, valkey_url: str) -> None:
    """POSTs get a 503 with a code while the disk is full, no half file stays; with room again it works."""
    photo = photos.encoded(photos.group(4, 4, 256), quality=95)
    settings = {"OBSCURA_REDIS_URL": valkey_url, "OBSCURA_CONCURRENCY": "1"}
    system = RunningSystem("standalone", small_disk, settings=settings)
    try:
        system.wait_until_ready()
        with httpx.Client(base_url=system.url, timeout=60) as client:
            fill(small_disk / "ballast")
            before = files(small_disk)
            refused = client.post("/blur_faces", files={"file": photo})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
            assert "retry-after" in refused.headers
            # The gateway writes the audit log in turns of its own.
            assert set(files(small_disk)) ^ set(before) <= {small_disk / "audit.jsonl"}
            assert "storage" in client.get("/readyz").json()["missing"]
            os.truncate(small_disk / "ballast", 0)
            wait_until_ready(client)
            task = client.post("/blur_faces", files={"file": photo}).json()["task_id"]
            assert finished(client, task)["status"] == "SUCCESS"
    finally:
        system.stop()


def requests_with(photo: bytes) -> dict[str, tuple[dict[str, Any], int]]:
    """Return for each way in what to send, and the status with which it says that there is no room."""
    text = {"content": b64encode(photo), "headers": {"content-type": "application/octet-stream"}}
    return {
        "/detect_faces": ({"files": {"file": photo}}, 503),
        "/blur": ({"files": {"file": photo}, "data": {"zero_retention": "true"}}, 503),
        "/redact": ({"files": {"file": photo}, "data": {"boxes": "[[1, 1, 9, 9]]"}}, 503),
        "/batches": ({"files": [("files", ("a.jpg", photo)), ("files", ("b.jpg", photo))]}, 503),
        "/detect_lesions": ({"files": {"file": photo}}, 503),
        # The dialects say it in words of their own.
        "/bocashi": ({"files": {"img_file": photo}}, 200),
        "/detection/BreastCalcify": ({"files": {"images": photo}}, 500),
        "/auth/stdimg": (text, 500),
    }


def test_a_full_folder_of_arriving_uploads(small_disk: Path, valkey_url: str, portrait: Path) -> None:
    """Uploads that do not fit are refused on every way in, nothing of them stays, and smaller ones go on."""
    photo = portrait.read_bytes()
    big = photo + bytes(3 * 2**20)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes((SIZE_MB - 2) * 2**20))
    redis.Redis.from_url(valkey_url).flushall()
    with (
        RunningGateway(valkey_url, small_disk.parent, upload_dir=small_disk) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60) as client,
    ):
        free = os.statvfs(small_disk).f_bfree
        for path, (request, status) in requests_with(big).items():
            refused = client.post(path, **request)
            assert refused.status_code == status, (path, refused.text)
            if status == 503:
                assert refused.json()["error"]["code"] == "storage_unavailable", path
                assert "retry-after" in refused.headers
            assert os.statvfs(small_disk).f_bfree == free, path
        assert client.post("/detect_faces", files={"file": photo}).status_code == 200
        assert files(small_disk) == [ballast]
        # Only the small one.
        assert len(files(small_disk.parent / "photos")) == 1
        assert "request_crashed" not in gateway.log.read_text()


@pytest.mark.slow
def test_a_result_that_finds_no_room_fails_with_a_code(small_disk: Path, valkey_url: str) -> None:
    """A disk that fills up while a photo is worked on ends its job with a FAILURE that says why."""
    photo = photos.encoded(photos.group(4, 4, 256), quality=95)
    settings = {"OBSCURA_REDIS_URL": valkey_url, "OBSCURA_CONCURRENCY": "1"}
    system = RunningSystem("standalone", small_disk, settings=settings)
    try:
        system.wait_until_ready()
        with httpx.Client(base_url=system.url, timeout=60) as client:
            tasks = [client.post("/blur_faces", files={"file": photo}).json()["task_id"] for _ in range(3)]
            fill(small_disk / "ballast")
            codes = {finished(client, task).get("error", {}).get("code", "") for task in tasks}
            assert codes <= {"", "storage_unavailable"}
            assert "storage_unavailable" in codes
            assert not [path for path in files(small_disk / "photos") if "#" in path.name]
            os.truncate(small_disk / "ballast", 0)
            assert wait_until_ready(client) < 10
    finally:
        system.stop()
