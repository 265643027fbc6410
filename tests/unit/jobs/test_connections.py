"""The connections of a gateway to the job store."""

import asyncio

from obscura.jobs import AsyncJobStore
from obscura.jobs.store import MAX_CONNECTIONS
from obscura.settings import Settings
from tests.job_stores import with_job_store


def test_a_crowd_shares_a_bounded_number_of_connections(settings: Settings) -> None:
    """Further commands wait for a connection; they neither fail nor open one each."""

    async def work(job_store: AsyncJobStore) -> None:
        before = len(await job_store.client.client_list())
        await asyncio.gather(*(job_store.ping() for _ in range(10 * MAX_CONNECTIONS)))
        assert len(await job_store.client.client_list()) < before + MAX_CONNECTIONS

    with_job_store(settings, work)
