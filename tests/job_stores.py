"""A job ledger as gateways use it, for tests that are not asynchronous themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from obscura.jobs import AsyncLedger
from obscura.settings import Settings

T = TypeVar("T")


def with_ledger(settings: Settings, work: Callable[[AsyncLedger], Awaitable[T]]) -> T:
    """Return what ``work`` gives for an asynchronous ledger."""

    async def run() -> T:
        ledger = AsyncLedger(settings)
        try:
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())
