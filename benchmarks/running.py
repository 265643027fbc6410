"""Start a system to measure and load it with clients."""

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.processes import Usage, roles, usage

ROOT: Final = Path(__file__).parent.parent
BOUNDARY: Final = "obscura-benchmark"
READY_S: Final = 180.0
WAIT_S: Final = 30


@dataclass(frozen=True)
class Shape:
    """How a photo is asked for: path, form fields, whether the picture comes in base64."""

    path: str = "/blur"
    fields: Mapping[str, str] = field(default_factory=dict)
    as_text: bool = False


@dataclass(frozen=True)
class Load:
    """Outcome of a load: wall seconds, seconds of each photo in the order of their ends, CPU by role."""

    wall_s: float
    latencies_s: Sequence[float]
    cpu_s: Mapping[str, float]
    memory: Mapping[str, Usage]

    @property
    def count(self) -> int:
        """Photos done."""
        return len(self.latencies_s)

    @property
    def cpu_ms(self) -> float:
        """Server CPU milliseconds per photo, all processes."""
        return sum(self.cpu_s.values()) * 1000 / self.count

    @property
    def per_second(self) -> float:
        """Photos per second of wall time."""
        return self.count / self.wall_s


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """Something that listens: its port, its first process, and the folder of its data where it has one."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", folder: Path | None = None) -> None:
        self.port = port
        self.process = process
        self.folder = folder

    def usage(self) -> dict[str, Usage]:
        """Return what each role has used so far."""
        return {role: usage(pids) for role, pids in roles(self.process.pid).items()}


@contextmanager
def obscura(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start a whole system, ready to work, and end it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="obscura-bench-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OBSCURA_")}
        environment |= {"OBSCURA_LOG_LEVEL": "warning", **(settings or {})}
        command = [sys.executable, "-m", "standalone", "--port", str(port), "--data-dir", f"{folder}/data"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        try:
            wait_until_ready(port, process)
            yield Server(port, process, Path(folder, "data"))
        finally:
            process.terminate()
            process.wait(60)
            if process.stdout is not None:
                process.stdout.close()


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]", path: str = "/readyz") -> None:
    """Return once ``path`` answers 200; raise RuntimeError where the process ends or takes too long."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    message = "the system did not become ready"
    raise RuntimeError(message)


def form(photo: bytes, fields: Mapping[str, str]) -> bytes:
    """Return a multipart body."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
    return b"".join([*parts, head.encode(), b"Content-Type: image/jpeg\r\n\r\n", photo, tail()])


def tail() -> bytes:
    """Return the end of a multipart body."""
    return f"\r\n--{BOUNDARY}--\r\n".encode()


class Client:
    """One client with one connection, as light as Python can be: it shares the machine with the system."""

    def __init__(self, port: int, shape: Shape) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._shape = shape

    def post(self, body: bytes) -> str:
        """Hand a form in and return the task's id."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        answer = json.loads(self._call("POST", self._shape.path, body, headers))
        return str(answer["task_id"])

    def fetch(self, task: str) -> bytes:
        """Wait for the end of a task and return its picture (the answer, where it is a detection)."""
        picture = not self._shape.path.startswith("/detect") and not self._shape.as_text
        path = f"/task_result/{task}{'/image' if picture else ''}?wait={WAIT_S}"
        while True:
            text = self._call("GET", path, missing_is_fine=picture)
            if picture and text:
                return text
            answer = text or self._call("GET", f"/task_result/{task}")
            status = json.loads(answer)["status"]
            if status == "FAILURE":
                raise RuntimeError(answer.decode())
            if status == "SUCCESS" and not picture:
                return answer

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing_is_fine: bool = False,
    ) -> bytes:
        self._connection.request(method, path, body, dict(headers or {}))
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status == http.HTTPStatus.NOT_FOUND and missing_is_fine:
            return b""
        if answer.status != http.HTTPStatus.OK:
            message = f"{method} {path}: {answer.status} {text[:300]!r}"
            raise RuntimeError(message)
        return text

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _Clients:
    """Several clients at work on one list of photos."""

    def __init__(self, bodies: Sequence[bytes], make: Callable[[], Client]) -> None:
        self._bodies, self._make = bodies, make
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.latencies: list[float] = []
        self.errors: list[Exception] = []

    def run(self, count: int, clients: int) -> float:
        """Do ``count`` photos; return the wall seconds, or raise what a client met."""
        for number in range(count):
            self._todo.put(number)
        began = time.perf_counter()
        threads = [threading.Thread(target=self._work) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]
        return time.perf_counter() - began

    def _work(self) -> None:
        client = self._make()
        try:
            while not self.errors:
                number = self._todo.get_nowait()
                began = time.perf_counter()
                client.fetch(client.post(self._bodies[number % len(self._bodies)]))
                self.latencies.append(time.perf_counter() - began)
        except queue.Empty:
            pass
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.errors.append(error)
        finally:
            client.close()


def load(  # noqa: PLR0913, PLR0917 - a benchmark's knobs
    server: Server,
    photos: Sequence[bytes],
    count: int,
    clients: int,
    shape: Shape,
    kind: type[Client] = Client,
) -> Load:
    """Have ``clients`` hand in ``count`` photos altogether, each the next when it has the last one back."""
    bodies = [form(photo, shape.fields) for photo in photos]
    work = _Clients(bodies, lambda: kind(server.port, shape))
    before = server.usage()
    wall_s = work.run(count, clients)
    after = server.usage()
    cpu_s = {role: used.cpu_s - before[role].cpu_s for role, used in after.items() if role in before}
    return Load(wall_s, work.latencies, cpu_s, after)
