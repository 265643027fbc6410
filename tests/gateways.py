"""Gateways: in processes of their own, alone or beside that of a running system; and one in this process."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import httpx

from gateway_service.http.dependencies import Gateway
from gateway_service.http.rate_limits import RateLimits
from gateway_service.metrics.scraping import Scraper
from gateway_service.results.events import JobEvents
from obscura.access.key_store import AsyncKeyStore
from obscura.jobs import AsyncJobStore
from obscura.jobs.celery_app import Outbox, make_celery
from obscura.observability import Meter
from obscura.settings import JOB_STORE_URL_FILE, Settings
from obscura.storage import Storage
from tests.system import STOP_S, RunningSystem, ended, free_port, start

START_S = 240


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
            self.process = start(command, env=environment, stderr=log)

    @classmethod
    def beside(cls, system: RunningSystem, folder: Path, **settings: object) -> Self:
        """Return a second gateway of a running system: its ledger, storage, workers and settings, but some.

        Other settings of gateways are so tried without another system. Its log goes into ``folder``.
        """
        own = {name.removeprefix("OBSCURA_").lower(): value for name, value in system.settings.items()}
        place = {"storage_dir": system.data_dir / "photos", "video_dir": system.data_dir / "videos"}
        url = (system.data_dir / JOB_STORE_URL_FILE).read_text("utf-8")
        return cls(url, folder, "127.0.0.1", **{**place, **own, **settings})

    def wait_until_ready(self) -> None:
        """Wait until workers serve all queues that it needs."""
        deadline = time.monotonic() + START_S
        while (answer := httpx.get(f"{self.url}/readyz")).status_code != 200:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.05)

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
        ended(self.process)

    @property
    def rss_mb(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def in_gateway(settings: Settings, work: Callable[[Gateway], Awaitable[None]]) -> None:
    """Do ``work`` with the parts of a gateway."""

    async def run() -> None:
        job_store = AsyncJobStore(settings)
        storage = Storage.open(settings)
        celery = make_celery(settings)
        gateway = Gateway(
            settings,
            job_store,
            storage,
            celery,
            Outbox(celery),
            JobEvents(job_store),
            AsyncKeyStore(job_store.client),
            RateLimits(settings, job_store.client, keys=False),
            asyncio.Semaphore(1),
            Scraper(settings, job_store, storage, Meter()),
        )
        try:
            await work(gateway)
        finally:
            # A task that outlives its work would open connections again that nothing closes.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await job_store.close()

    asyncio.run(run())
