"""The reaper: sends lost steps again, ends hopeless jobs, erases what must not stay."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from obscura.contract import StepRequest
from obscura.contract.messages import STEP_TASKS
from obscura.errors import ObscuraError
from obscura.jobs.calls import ACTIVE, ERASE, EXPIRY, PREFIX
from obscura.jobs.ledger import AsyncLedger
from obscura.jobs.rows import wake_up
from obscura.storage import Storage

LOCK = PREFIX + "reaper"
log = structlog.get_logger(__name__)
AsyncSender = Callable[[StepRequest], Awaitable[None]]


class Reaper:
    """Looks after the ledger every so often; of several gateways only one does at a time."""

    def __init__(self, ledger: AsyncLedger, storage: Storage, send: AsyncSender) -> None:
        self._ledger = ledger
        self._storage = storage
        self._send = send
        self._interval_s = ledger.calls.settings.reaper_interval_s

    async def run(self) -> None:
        """Make rounds until cancelled; a round that fails is logged and the next one tries again."""
        while True:
            try:
                if await self._is_our_turn():
                    await self.round()
            except ObscuraError as error:
                log.warning("reaper_round_failed", code=error.code)
            except Exception:
                # The only place that keeps jobs from hanging must outlive its own faults.
                log.exception("reaper_round_crashed")
            await asyncio.sleep(self._interval_s)

    async def _is_our_turn(self) -> bool:
        # Shorter than the interval, so that the same gateway may have the next turn too.
        milliseconds = max(1, int(self._interval_s * 900))
        return bool(await self._ledger.client.set(LOCK, "1", nx=True, px=milliseconds))

    async def round(self) -> None:
        """Look once at everything that is due."""
        ledger = self._ledger
        for job_id in await ledger.run(ledger.calls.due(ACTIVE)):
            await self._look_after(job_id)
        for job_id in await ledger.run(ledger.calls.due(EXPIRY)):
            await ledger.run(ledger.calls.erase(job_id))
        for key in await ledger.run(ledger.calls.due(ERASE)):
            await self.erase_object(key)

    async def erase_object(self, key: str) -> None:
        """Erase a stored object that the ledger has given up."""
        await asyncio.to_thread(self._storage.delete, key)
        await self._ledger.forget_object(key)

    async def _look_after(self, job_id: str) -> None:
        ledger = self._ledger
        for step in await ledger.run(ledger.calls.reap(job_id)):
            row = await ledger.read(job_id)
            if await self._is_waiting_in(STEP_TASKS[step].queue.lane(row.options.priority)):
                continue
            await self._send(wake_up(row, step))
            log.info("step_sent_again", step=step.value, request_id=row.request_id)

    async def _is_waiting_in(self, lane: str) -> bool:
        # A message that still waits its turn is not lost: sending it again would only lengthen the queue.
        # (celery keeps a lane as a list of the lane's name.)
        return int(await self._ledger.client.llen(lane)) > 0
