"""Three kinds of users for locust: ``make load``, or ``locust -f benchmarks/locustfile.py --host URL``.

The web page of locust lets one choose how many of each; ``OBSCURA_BENCH_PHOTOS`` names real photos to send.
A key is taken from ``OBSCURA_LOAD_KEY`` where the system asks for one.
"""

import itertools
import os
from collections.abc import Mapping
from typing import Any, Final

from locust import HttpUser, between, task
from locust.exception import RescheduleTask

from benchmarks.material import photos

PHOTOS: Final = photos("2", 8)
WAIT_S: Final = 20
POLLS: Final = 600
BATCH: Final = 6
KEY: Final = os.environ.get("OBSCURA_LOAD_KEY", "")
DONE: Final = {"SUCCESS", "FAILURE"}


class User(HttpUser):  # type: ignore[misc]  # locust is installed apart
    """What the three kinds have in common: a key, and photos in turn."""

    abstract = True

    def on_start(self) -> None:
        """Start at a random photo, so that users do not all send the same one."""
        self._photos = itertools.islice(itertools.cycle(PHOTOS), id(self) % len(PHOTOS), None)
        if KEY:
            self.client.headers["Authorization"] = f"Bearer {KEY}"

    def next_photo(self) -> tuple[str, bytes, str]:
        """Return a photo as a part of a form."""
        return ("photo.jpg", next(self._photos), "image/jpeg")

    def posted(
        self, path: str, files: list[tuple[str, tuple[str, bytes, str]]], **form: str
    ) -> Mapping[str, Any]:
        """Return the answer to a form; 503 with Retry-After is no failure."""
        with self.client.post(path, data=form, files=files, catch_response=True) as answer:
            if answer.status_code == 503 and "Retry-After" in answer.headers:  # noqa: PLR2004 - queue_full
                answer.success()
                raise RescheduleTask
            answer.raise_for_status()
            return dict(answer.json())

    def ended(self, path: str, name: str) -> Mapping[str, Any]:
        """Long-poll until a task or batch has ended."""
        for _ in range(POLLS):
            state = dict(self.client.get(f"{path}?wait={WAIT_S}", name=name).json())
            if state.get("finished") or state.get("status") in DONE:
                return state
        return {}


class OnePhoto(User):
    """A person: submits one photo, waits for it, pauses."""

    weight = 3
    wait_time = between(1, 4)

    @task  # type: ignore[untyped-decorator]  # locust is installed apart
    def blur(self) -> None:
        """Hand a photo in and fetch the picture."""
        job = self.posted("/blur", [("file", self.next_photo())])
        path = f"/task_result/{job['task_id']}"
        if self.ended(path, "/task_result/[id]?wait").get("status") == "SUCCESS":
            self.client.get(f"{path}/image", name="/task_result/[id]/image")


class Batch(User):
    """A shop: several photos at once, low priority, fetched as one archive."""

    weight = 1
    wait_time = between(5, 15)

    @task  # type: ignore[untyped-decorator]  # locust is installed apart
    def batch(self) -> None:
        """Hand photos in and fetch the archive."""
        files = [("files", self.next_photo()) for _ in range(BATCH)]
        path = f"/batches/{self.posted('/batches', files)['batch_id']}"
        if self.ended(path, "/batches/[id]?wait").get("finished"):
            self.client.get(f"{path}/archive", name="/batches/[id]/archive")


class Poller(User):
    """An old client of the FaceBlur API: polls twice a second, and takes the picture as base64."""

    weight = 1
    wait_time = between(0.4, 0.6)

    def on_start(self) -> None:
        """Begin without a task."""
        super().on_start()
        self._task = ""

    @task  # type: ignore[untyped-decorator]  # locust is installed apart
    def poll(self) -> None:
        """Ask for the task, or hand the next photo in."""
        if not self._task:
            self._task = str(self.posted("/blur_faces", [("file", self.next_photo())])["task_id"])
            return
        state = self.client.get(f"/task_result/{self._task}", name="/task_result/[id]").json()
        if state.get("status") in DONE:
            self._task = ""
