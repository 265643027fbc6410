"""What a gateway does for ever beside answering requests; of several gateways one at a time."""

import asyncio
from collections.abc import Collection, Coroutine

from gateway_service.http.dependencies import Gateway
from gateway_service.webhooks.deliverer import Deliverer
from obscura.audit import AuditFile
from obscura.jobs.audit_writer import Auditor
from obscura.jobs.lease_reaper import Reaper
from obscura.jobs.log_rewriting import rewrite_log
from obscura.jobs.periodic_tasks import repeat
from obscura.jobs.retention import Eraser
from obscura.jobs.usage import StoreUsage

__all__ = ["chores", "end"]

# An original is gone within seconds of its job's end, also where its worker died before it could erase it.
ERASE_INTERVAL_S = 2.0
AUDIT_INTERVAL_S = 1.0
WEBHOOK_INTERVAL_S = 0.5
CANCEL_AGAIN_S = 1.0


def chores(gateway: Gateway) -> tuple[Coroutine[None, None, None], ...]:
    """Return what is to be run for as long as the gateway lives."""
    settings, ledger = gateway.settings, gateway.ledger
    eraser = Eraser(ledger, gateway.storage)
    auditor = Auditor(ledger, AuditFile(settings.audit_path, settings.audit_secret))

    deliverer = Deliverer(gateway)
    usage = StoreUsage(ledger)

    async def sweep() -> None:
        await eraser.sweep()

    async def rewrite() -> None:
        await rewrite_log(ledger)

    rewriting = (
        (repeat("rewriter", settings.log_rewrite_s, ledger, rewrite),) if settings.log_rewrite_s else ()
    )

    async def deliver() -> None:
        try:
            await repeat("deliverer", WEBHOOK_INTERVAL_S, ledger, deliverer.round)
        finally:
            await deliverer.close()

    return (
        *rewriting,
        repeat("reaper", settings.reaper_interval_s, ledger, Reaper(ledger, gateway.send).round),
        repeat("eraser", ERASE_INTERVAL_S, ledger, eraser.round),
        repeat("sweeper", settings.sweep_interval_s, ledger, sweep),
        repeat("usage", settings.sweep_interval_s, ledger, usage.round),
        deliver(),
        repeat("auditor", AUDIT_INTERVAL_S, ledger, auditor.round),
    )


async def end(running: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and return when all have ended.

    They are cancelled again until they have: a task that is woken at the moment of its cancelling may never
    hear of it (python/cpython issue 86296), and would keep the gateway from ending.
    """
    left = set(running)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
