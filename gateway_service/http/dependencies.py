"""FastAPI dependencies of the routes."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Annotated, cast

from celery import Celery
from fastapi import Depends, Request

from gateway_service.http.rate_limits import RateLimits
from gateway_service.metrics.scraping import Scraper
from gateway_service.results.events import JobEvents
from gateway_service.results.shared_watch import Watches
from obscura.access.key_store import AsyncKeyStore
from obscura.contract import StepRequest
from obscura.jobs import AsyncJobStore
from obscura.jobs.celery_app import Outbox
from obscura.settings import Settings
from obscura.storage import Storage


@dataclass(frozen=True)
class Gateway:
    """The services that routes use.

    ``intake`` limits how many uploads are in memory at once; others wait in their spool files.
    """

    settings: Settings
    job_store: AsyncJobStore
    storage: Storage
    celery: Celery
    outbox_messages: Outbox
    events: JobEvents
    keys: AsyncKeyStore
    rates: RateLimits
    intake: asyncio.Semaphore
    scraper: Scraper
    watches: Watches = field(default_factory=Watches)

    def for_owner(self, owner: str | None) -> "Gateway":
        """Return the gateway for one owner, who does not see the jobs of others."""
        job_store = self.job_store.for_owner(owner)
        return replace(self, job_store=job_store, events=self.events.for_owner(job_store))

    async def send(self, request: StepRequest) -> None:
        """Enqueue a step; raise QueueUnavailableError where the broker is unavailable."""
        outbox_message = self.outbox_messages.write(request)
        await self.job_store.run(self.job_store.calls.enqueue(request.job_id, [outbox_message]))


# Coroutines, because FastAPI runs plain functions in a thread for every request.
async def _gateway(request: Request) -> Gateway:
    gateway = cast("Gateway", request.app.state.gateway)
    return gateway.for_owner(request.state.owner)


async def _request_id(request: Request) -> str:
    return str(request.state.request_id)


CurrentGateway = Annotated[Gateway, Depends(_gateway)]
RequestId = Annotated[str, Depends(_request_id)]
