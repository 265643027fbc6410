"""A whole system in processes of its own, for tests that use it as a stranger would."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
STOP_S = 120
# Lets all end-to-end tests run in the other pipeline: OBSCURA_TEST_PIPELINE=split pytest tests/end_to_end
PIPELINE = os.environ.get("OBSCURA_TEST_PIPELINE", "")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningSystem:
    """A whole system in processes of its own."""

    def __init__(
        self, module: str, data_dir: Path, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
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
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log
            )

    def wait_until_ready(self) -> str:
        """Return what was printed for the person at the terminal, once the system is ready."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert "ready" in line, self.log.read_text()
        return line

    def stop(self) -> int:
        """End the system as Ctrl-C does and return its exit code."""
        self.process.terminate()
        code = self.process.wait(STOP_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code
