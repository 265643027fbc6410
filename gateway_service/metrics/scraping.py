"""Collect the series of /metrics from the job store and the storage."""

import asyncio
import shutil
import time

from obscura import __version__
from obscura.errors import ServiceError
from obscura.jobs import AsyncJobStore
from obscura.jobs.counters import flush_counters_async
from obscura.jobs.stats_snapshot import Series, stats_snapshot
from obscura.observability import Meter, catalogue
from obscura.settings import Settings, StorageChoice
from obscura.storage import Storage

__all__ = ["Scraper", "flush_forever"]

REPORT_S = 1.0
# Listing a bucket costs money, so the result is cached for several scrapers.
STORAGE_FRESH_S = 10.0


async def flush_forever(job_store: AsyncJobStore, meter: Meter) -> None:
    """Flush this gateway's counters to the job store once a second, and at the end."""
    try:
        while True:
            await asyncio.sleep(REPORT_S)
            await flush_counters_async(job_store.client, meter)
    finally:
        await flush_counters_async(job_store.client, meter)


class Scraper:
    """Collects all series; while the job store is unavailable, the last known counters."""

    def __init__(self, settings: Settings, job_store: AsyncJobStore, storage: Storage, meter: Meter) -> None:
        self._settings = settings
        self._job_store = job_store
        self._storage = storage
        self._meter = meter
        self._lock = asyncio.Lock()
        self._totals: Series = {}
        self._stored: Series = {}
        self._stored_at = -STORAGE_FRESH_S

    async def series(self) -> Series:
        """Return all series."""
        async with self._lock:
            what_runs = {catalogue.BUILD_INFO.series(__version__, self._settings.pipeline): 1.0}
            return {**await self._of_job_store(), **await self._of_storage(), **what_runs}

    async def _of_job_store(self) -> Series:
        await flush_counters_async(self._job_store.client, self._meter)
        up = catalogue.JOB_STORE_UP.series()
        try:
            known = await stats_snapshot(self._job_store)
        except ServiceError:
            # Counters continue from their last values; gauges are unknown.
            totals = dict(self._totals)
            for name, number in self._meter.pending().items():
                totals[name] = totals.get(name, 0.0) + number
            return {**totals, up: 0.0}
        self._totals = {name: number for name, number in known.items() if _is_total(name)}
        return {**known, up: 1.0}

    async def _of_storage(self) -> Series:
        if time.monotonic() - self._stored_at >= STORAGE_FRESH_S:
            self._stored = await asyncio.to_thread(self._read_storage)
            self._stored_at = time.monotonic()
        return self._stored

    def _read_storage(self) -> Series:
        up = catalogue.STORAGE_UP.series()
        try:
            self._storage.check()
            found = {catalogue.ORIGINALS.series(): float(len(self._storage.keys(("photos",)))), up: 1.0}
            if self._settings.storage is StorageChoice.FOLDER:
                free = shutil.disk_usage(self._settings.storage_dir).free
                found[catalogue.STORAGE_FREE.series()] = float(free)
        except (ServiceError, OSError):
            return {up: 0.0}
        return found


def _is_total(series: str) -> bool:
    kind = catalogue.CATALOGUE.get(series.partition(catalogue.SEPARATOR)[0])
    return kind is not None and kind.kind is not catalogue.Kind.GAUGE
