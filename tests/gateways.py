"""Gateways in processes of their own, on a Valkey of the tests, with no workers behind them."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

from tests.system import ROOT, STOP_S, free_port

START_S = 120


class RunningGateway:
    """One gateway process; use as a context manager."""

    def __init__(self, redis_url: str, folder: Path, host: str = "127.0.0.1", **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"gateway-{self.port}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OBSCURA_")}
        environment |= {
            "OBSCURA_REDIS_URL": redis_url,
            "OBSCURA_STORAGE_DIR": str(folder / "photos"),
            "OBSCURA_LOG_LEVEL": "info",
            **{f"OBSCURA_{name.upper()}": str(value) for name, value in settings.items()},
        }
        command = [sys.executable, "-m", "gateway_service", "--host", host, "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)

    def __enter__(self) -> Self:
        """Wait until it answers."""
        try:
            self._wait()
        except BaseException:
            # Nobody else would end it.
            self.process.kill()
            self.process.wait(STOP_S)
            raise
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                httpx.get(f"{self.url}/livez")
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)
            else:
                return

    def __exit__(self, *_error: object) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(STOP_S)

    @property
    def rss_mb(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024
