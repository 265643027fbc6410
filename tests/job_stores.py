"""A job store as gateways use it, for tests that are not asynchronous themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from obscura.jobs import AsyncJobStore
from obscura.settings import Settings

T = TypeVar("T")


def with_job_store(settings: Settings, work: Callable[[AsyncJobStore], Awaitable[T]]) -> T:
    """Return what ``work`` gives for an asynchronous job store."""

    async def run() -> T:
        job_store = AsyncJobStore(settings)
        try:
            return await work(job_store)
        finally:
            await job_store.close()

    return asyncio.run(run())
