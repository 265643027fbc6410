"""A whole system in processes of its own, for tests that use it as a stranger would."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
STOP_S = 120
# Lets all end-to-end tests run in the other pipeline: OBSCURA_TEST_PIPELINE=split pytest tests/end_to_end
PIPELINE = os.environ.get("OBSCURA_TEST_PIPELINE", "")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def contents(folder: Path) -> dict[Path, bytes]:
    """Return what the files below a folder hold; one that is erased meanwhile is left out."""
    found: dict[Path, bytes] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.read_bytes()
    return found


_started: "list[subprocess.Popen[bytes]]" = []


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a process that does not outlive the tests, whatever becomes of the one that started it."""
    process = subprocess.Popen(command, cwd=ROOT, **options)
    _started.append(process)
    return process


def ended(process: "subprocess.Popen[bytes]") -> int:
    """Return the exit code of a process that was asked to end; kill one that does not before that is told."""
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def end_all() -> None:
    """Kill what tests have left, which are those that failed."""
    for process in _started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class RunningSystem:
    """A whole system in processes of its own."""

    def __init__(
        self,
        module: str,
        data_dir: Path,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self.port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self.settings = dict(settings or {})
        port_option = "-p" if module.endswith("bocashi") else "--port"
        command = [
            sys.executable,
            "-m",
            module,
            port_option,
            str(self.port),
            "--data-dir",
            str(data_dir),
            *arguments,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OBSCURA_")}
        environment["OBSCURA_LOG_LEVEL"] = "info"
        if PIPELINE:
            environment["OBSCURA_PIPELINE"] = PIPELINE
        self.heartbeats = data_dir.with_suffix(".heartbeats")
        environment["OBSCURA_HEARTBEAT_DIR"] = str(self.heartbeats)
        environment |= self.settings
        self.log = data_dir.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = start(command, env=environment, stdout=subprocess.PIPE, stderr=log)

    def wait_until_ready(self) -> str:
        """Return what was printed for the person at the terminal, once the system is ready.

        A system that does not get ready is ended: no test would.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if "ready" not in line:
            self.stop()
            pytest.fail(self.log.read_text())
        return line

    def stop(self) -> int:
        """End the system as Ctrl-C does and return its exit code."""
        self.process.terminate()
        try:
            return ended(self.process)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()
