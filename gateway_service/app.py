"""The application: what it is made of, how it starts and ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI

from gateway_service import problems
from gateway_service.compat import bocashi
from gateway_service.dependencies import Gateway
from gateway_service.events import JobEvents
from gateway_service.middleware import BodyLimit, Edge
from gateway_service.routes import health, page, redaction, results, tasks
from obscura import __version__
from obscura.broker import make_celery
from obscura.jobs import AsyncLedger
from obscura.jobs.reaper import Reaper
from obscura.settings import Settings
from obscura.storage import Storage

__all__ = ["create_app", "create_bocashi_app"]

# Room for the other form fields and the multipart boundaries of an upload.
FORM_OVERHEAD_BYTES = 256 * 1024
DESCRIPTION = "Finds faces and number plates in photos and hides them. Risk-reduced, with measured recall."


def _assemble(settings: Settings, routers: Sequence[APIRouter]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ledger = AsyncLedger(settings)
        events = JobEvents(ledger)
        gateway = Gateway(settings, ledger, Storage.open(settings), make_celery(settings), events)
        app.state.gateway = gateway
        reaper = Reaper(ledger, gateway.storage, gateway.send)
        chores = [asyncio.create_task(events.listen()), asyncio.create_task(reaper.run())]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            for chore in chores:
                with suppress(asyncio.CancelledError):
                    await chore
            await ledger.close()

    app = FastAPI(
        title="Obscura",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url="/docs" if settings.docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
    )
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_upload_bytes + FORM_OVERHEAD_BYTES,
        refusals={"/bocashi": bocashi.unusable},
    )
    app.add_middleware(Edge)
    problems.install(app)
    for router in routers:
        app.include_router(router)
    return app


def create_app(settings: Settings) -> FastAPI:
    """Return the gateway with every route."""
    app = _assemble(
        settings, (tasks.router, redaction.router, results.router, bocashi.router, health.router, page.router)
    )
    app.mount("/web", page.files, name="web")
    return app


def create_bocashi_app(settings: Settings) -> FastAPI:
    """Return the bocashi dialect alone."""
    return _assemble(settings, (bocashi.router, health.router))
