"""What routes work with."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Annotated, cast

from celery import Celery
from fastapi import Depends, Request

from gateway_service.http.rate_limits import RateLimits
from gateway_service.metrics.scraping import Scraper
from gateway_service.results.events import JobEvents
from gateway_service.shared_watch import Watches
from obscura.access.key_store import AsyncKeyRing
from obscura.contract import StepRequest
from obscura.jobs import AsyncLedger
from obscura.jobs.celery_app import Letters
from obscura.settings import Settings
from obscura.storage import Storage


@dataclass(frozen=True)
class Gateway:
    """The parts of the system that a gateway talks to.

    ``intake`` bounds how many uploads are in memory at once; the others wait where they were spooled.
    """

    settings: Settings
    ledger: AsyncLedger
    storage: Storage
    celery: Celery
    letters: Letters
    events: JobEvents
    keys: AsyncKeyRing
    rates: RateLimits
    intake: asyncio.Semaphore
    scraper: Scraper
    watches: Watches = field(default_factory=Watches)

    def seen_by(self, owner: str | None) -> "Gateway":
        """Return the system as the holder of a key sees it: jobs of others are not there."""
        ledger = self.ledger.seen_by(owner)
        return replace(self, ledger=ledger, events=self.events.seen_by(ledger))

    async def send(self, request: StepRequest) -> None:
        """Have a step wait for its turn; raise QueueUnavailableError where the broker is away."""
        letter = self.letters.write(request)
        await self.ledger.run(self.ledger.calls.enqueue(request.job_id, [letter]))


# Coroutines, both: a plain function would be given a thread's turn by the framework for every request.
async def _gateway(request: Request) -> Gateway:
    whole = cast("Gateway", request.app.state.gateway)
    return whole.seen_by(request.state.owner)


async def _request_id(request: Request) -> str:
    return str(request.state.request_id)


CurrentGateway = Annotated[Gateway, Depends(_gateway)]
RequestId = Annotated[str, Depends(_request_id)]
