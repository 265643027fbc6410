"""What chaos runs share: finding processes, loading a system, counting what became of every job."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from obscura.audit import verify
from tests.end_to_end.test_soak import process_tree
from tests.system import RunningSystem, wait_until

END_S = 600.0
"""Three leases of a minute, and what a busy machine needs to start every part again between them."""
ENDS = {"SUCCESS", "FAILURE"}


def processes(system: RunningSystem, role: str) -> list[int]:
    """Return the processes of a part of a system, the first one first."""
    found = []
    for pid in sorted(process_tree(system.process.pid)):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        # The embedded server writes its own address over its command line.
        if role in words or words[0].split(" ")[0].endswith(role):
            found.append(pid)
    return found


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@dataclass
class Load:
    """Clients that hand photos in and wait for their ends; ``accepted`` maps each task to its end."""

    url: str
    photo: bytes
    path: str = "/blur_faces"
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)
    stop_posting: threading.Event = field(default_factory=threading.Event)

    def post(self, client: httpx.Client) -> str | None:
        """Hand one photo in; return its task, or None where the system does not take it."""
        try:
            answer = client.post(self.path, files={"file": self.photo})
        except httpx.TransportError:
            self.refused[0] += 1
            return None
        if answer.status_code != 200:
            self.refused[answer.status_code] += 1
            return None
        task = str(answer.json()["task_id"])
        self.accepted[task] = {}
        return task

    def wait(self, client: httpx.Client, task: str, seconds: float = END_S) -> None:
        """Wait for the end of a task, through everything that happens meanwhile."""
        began = time.monotonic()
        while time.monotonic() - began < seconds and not self.stop.is_set():
            try:
                answer = client.get(f"/task_result/{task}", params={"wait": 5})
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            body = answer.json()
            if answer.status_code == 404 or body.get("status") in ENDS:
                waited = time.monotonic() - began
                self.accepted[task] = {**body, "result": len(body.get("result") or ""), "waited": waited}
                return
            if answer.status_code >= 500:
                time.sleep(0.2)

    def run(self, jobs: int, clients: int = 8) -> None:
        """Enter ``jobs`` jobs, or until asked to stop, and wait for them all."""
        lock = threading.Lock()
        left = jobs

        def work() -> None:
            nonlocal left
            with httpx.Client(base_url=self.url, timeout=60) as client:
                while not (self.stop.is_set() or self.stop_posting.is_set()):
                    with lock:
                        if left <= 0:
                            return
                        left -= 1
                    task = self.post(client)
                    if task is None:
                        with lock:
                            left += 1
                        time.sleep(0.3)
                    else:
                        self.wait(client, task)

        with ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(work) for _ in range(clients)]:
                done.result()

    @property
    def longest_wait(self) -> float:
        """Seconds from the first question after a task to its end, of the slowest."""
        return max((body.get("waited", 0.0) for body in self.accepted.values()), default=0.0)

    def ends(self) -> Counter[str]:
        """Return how many tasks ended how: SUCCESS, the code of a FAILURE, `unknown_task`, or `no end`."""
        return Counter(
            "SUCCESS" if body.get("status") == "SUCCESS" else body.get("error", {}).get("code", "no end")
            for body in self.accepted.values()
        )


def events_of(system: RunningSystem) -> Counter[tuple[str, str]]:
    """Return how often each event happened to each job, from an audit log that has to hold together."""
    # Without a line that is just being written.
    lines = (system.data_dir / "audit.jsonl").read_bytes().rpartition(b"\n")[0].splitlines()
    verify(lines)
    records = [json.loads(line) for line in lines]
    return Counter((record["event"], record.get("job", "")) for record in records)


def wait_for_events(system: RunningSystem, tasks: Collection[str]) -> Counter[tuple[str, str]]:
    """Return the same once the original of every task is said to be erased: the log is a little behind."""
    deadline = time.monotonic() + 120
    while True:
        events = events_of(system)
        if all(events["original_erased", task] for task in tasks) or time.monotonic() > deadline:
            return events
        time.sleep(1)


def objects(system: RunningSystem, folder: str) -> list[str]:
    """Return the names of all stored files in a folder of the storage, finished or not."""
    place = system.data_dir / "photos" / folder
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def wait_until_ready(client: httpx.Client, seconds: float = 60) -> float:
    """Wait until the system is ready for photos, and return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if client.get("/readyz").status_code == 200:
                return time.monotonic() - began
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    message = f"not ready after {seconds} s"
    raise AssertionError(message)


def wait_until_unready(client: httpx.Client) -> None:
    """Wait until the system says that something is missing."""
    wait_until(lambda: client.get("/readyz").status_code != 200)


@contextmanager
def job_store_of(system: RunningSystem) -> Iterator[redis.Redis]:
    """Return a client of the embedded server."""
    environment = Path(f"/proc/{processes(system, 'gateway')[0]}/environ").read_bytes().split(b"\0")
    url = next(item for item in environment if item.startswith(b"OBSCURA_REDIS_URL=")).partition(b"=")[2]
    client = redis.Redis.from_url(url.decode())
    yield client
    client.close()
