"""Periodic tasks of a gateway; with several gateways one at a time runs them."""

import asyncio
from collections.abc import Collection, Coroutine

from gateway_service.http.dependencies import Gateway
from gateway_service.webhooks.deliverer import Deliverer
from obscura.audit import AuditFile
from obscura.jobs.aof_rewriting import rewrite_aof
from obscura.jobs.audit_writer import Auditor
from obscura.jobs.lease_reaper import Reaper
from obscura.jobs.periodic_tasks import repeat
from obscura.jobs.retention import Retention
from obscura.jobs.usage import StoreUsage

__all__ = ["end", "run_periodic_tasks"]

# Originals are erased within seconds of their job's end, also where the worker died before erasing.
ERASE_INTERVAL_S = 2.0
AUDIT_INTERVAL_S = 1.0
WEBHOOK_INTERVAL_S = 0.5
CANCEL_AGAIN_S = 1.0


def run_periodic_tasks(gateway: Gateway) -> tuple[Coroutine[None, None, None], ...]:
    """Return the coroutines that run while the gateway does."""
    settings, job_store = gateway.settings, gateway.job_store
    retention = Retention(job_store, gateway.storage)
    auditor = Auditor(job_store, AuditFile(settings.audit_path, settings.audit_secret))

    deliverer = Deliverer(gateway)
    usage = StoreUsage(job_store)

    async def collect_orphans() -> None:
        await retention.collect_orphans()

    async def rewrite() -> None:
        await rewrite_aof(job_store)

    rewriting = (
        (repeat("rewriter", settings.log_rewrite_s, job_store, rewrite),) if settings.log_rewrite_s else ()
    )

    async def deliver() -> None:
        try:
            await repeat("deliverer", WEBHOOK_INTERVAL_S, job_store, deliverer.round)
        finally:
            await deliverer.close()

    return (
        *rewriting,
        repeat("reaper", settings.reaper_interval_s, job_store, Reaper(job_store, gateway.send).round),
        repeat("eraser", ERASE_INTERVAL_S, job_store, retention.round),
        repeat("sweeper", settings.sweep_interval_s, job_store, collect_orphans),
        repeat("usage", settings.sweep_interval_s, job_store, usage.round),
        deliver(),
        repeat("auditor", AUDIT_INTERVAL_S, job_store, auditor.round),
    )


async def end(running: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and return when all have ended.

    Cancelled repeatedly, because a task that is woken at the moment of its cancellation may miss it
    (python/cpython issue 86296) and would keep the gateway from ending.
    """
    left = set(running)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
