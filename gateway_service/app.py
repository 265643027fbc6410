"""Build the FastAPI application and its lifespan."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway_service.compat import bocashi, object_masking, panoramax, verification
from gateway_service.http import problems
from gateway_service.http.access import Access, AccessRules
from gateway_service.http.dependencies import Gateway
from gateway_service.http.middleware import BodyBounds, BodyLimit, CompatibilityApi, cors_options
from gateway_service.http.rate_limits import RateLimits
from gateway_service.http.request_context import RequestContext, Telemetry
from gateway_service.http.strictness import only_known
from gateway_service.metrics.scraping import Scraper, flush_forever
from gateway_service.openapi import docs_page, operations
from gateway_service.periodic_tasks import end, run_periodic_tasks
from gateway_service.results.events import JobEvents
from gateway_service.routes import (
    batches,
    capabilities,
    challenges,
    health,
    lesions,
    metrics,
    page,
    redaction,
    results,
    tasks,
    videos,
    webhook_docs,
)
from gateway_service.webhooks.registration import secrets_of
from obscura import __version__
from obscura.access.key_store import AsyncKeyStore
from obscura.jobs import AsyncJobStore
from obscura.jobs.celery_app import Outbox, make_celery
from obscura.observability import Meter, open_tracer
from obscura.settings import Settings
from obscura.storage import Storage

__all__ = ["create_app", "create_bocashi_app"]

# Room for the other form fields and the multipart boundaries of an upload.
FORM_OVERHEAD_BYTES = 256 * 1024
# One photo at a time is validated and stored, which takes milliseconds and bounds the memory.
UPLOADS_IN_MEMORY = 1
LOOPBACK = "127.0.0.1"
# As lenient as the systems that they stand in for.
COMPATIBILITY_ROUTERS = (bocashi.router, object_masking.router, panoramax.router, verification.router)
DESCRIPTION = "Finds faces and number plates in photos and hides them. Risk-reduced, with measured recall."


def _assemble(settings: Settings, rules: AccessRules, routers: Sequence[APIRouter]) -> FastAPI:
    telemetry = Telemetry(Meter(), open_tracer(settings, "gateway"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        job_store = AsyncJobStore(settings)
        events = JobEvents(job_store)
        storage = Storage.open(settings)
        celery = make_celery(settings)
        gateway = Gateway(
            settings,
            job_store,
            storage,
            celery,
            Outbox(celery),
            events,
            AsyncKeyStore(job_store.client),
            RateLimits(settings, job_store.client, keys=rules.keys),
            asyncio.Semaphore(UPLOADS_IN_MEMORY),
            Scraper(settings, job_store, storage, telemetry.meter),
        )
        app.state.gateway = gateway
        report = flush_forever(job_store, telemetry.meter)
        running = [
            asyncio.create_task(work) for work in (events.listen(), report, *run_periodic_tasks(gateway))
        ]
        try:
            yield
        finally:
            await end(running)
            await job_store.close()
            if telemetry.tracer is not None:
                await asyncio.to_thread(telemetry.tracer.close)

    app = FastAPI(
        title="Obscura",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        openapi_tags=operations.groups(routers),
        generate_unique_id_function=operations.operation_id,
        form_limits={"max_files": settings.max_form_files, "max_fields": settings.max_form_fields},
    )
    _wrap(app, settings, rules, telemetry)
    operations.install(app, settings, keys=rules.keys)
    problems.install(app)
    for router in routers:
        is_own = router not in COMPATIBILITY_ROUTERS
        app.include_router(router, dependencies=[Depends(only_known)] if is_own else None)
    app.webhooks.include_router(webhook_docs.router)
    if app.openapi_url is not None:
        app.include_router(docs_page.router_of(app.title, app.openapi_url))
    return app


def _wrap(app: FastAPI, settings: Settings, rules: AccessRules, telemetry: Telemetry) -> None:
    """Add the middleware."""
    bounds = BodyBounds(
        settings.max_upload_bytes + FORM_OVERHEAD_BYTES, settings.upload_timeout_s, settings.upload_idle_s
    )
    # The middleware added last runs first.
    app.add_middleware(BodyLimit, bounds=bounds, apis=_compatibility_apis(settings))
    app.add_middleware(Access, rules=rules)
    if rules.origins:
        app.add_middleware(CORSMiddleware, **cors_options(rules.origins))
    app.add_middleware(RequestContext, telemetry=telemetry, hsts_s=settings.hsts_s)


def _compatibility_apis(settings: Settings) -> dict[str, CompatibilityApi]:
    """Return the paths with their own limits or answers for bodies that are too large."""
    text = int(settings.max_upload_bytes * verification.MAX_BODY_FACTOR) + FORM_OVERHEAD_BYTES
    auth_api = CompatibilityApi(verification.unparsable_body, text)
    mammograms = {
        object_masking.PATH: CompatibilityApi(
            object_masking.too_large, settings.medical_max_body_bytes + FORM_OVERHEAD_BYTES
        ),
        lesions.PATH: CompatibilityApi(max_bytes=settings.medical_max_upload_bytes + FORM_OVERHEAD_BYTES),
    }
    many = CompatibilityApi(max_bytes=settings.max_batch_mb * 1024 * 1024 + FORM_OVERHEAD_BYTES)
    video = CompatibilityApi(
        max_bytes=settings.video_max_upload_bytes + FORM_OVERHEAD_BYTES,
        timeout_s=settings.video_upload_timeout_s,
    )
    return (
        {
            "/bocashi": CompatibilityApi(bocashi.unusable),
            panoramax.PATH: CompatibilityApi(panoramax.too_large),
            batches.PATH: many,
            videos.PATH: video,
        }
        | mammograms
        | dict.fromkeys(verification.PATHS, auth_api)
    )


def create_app(settings: Settings, listens_on: str = LOOPBACK) -> FastAPI:
    """Return the gateway with every route; whether it requires API keys depends on ``listens_on``."""
    # Invalid settings raise an error at start-up, not at the first request that uses them.
    verification.sources_of(settings)
    secrets_of(settings)
    rules = AccessRules.of(settings, listens_on)
    routers = [tasks.router, redaction.router, results.router, batches.router, videos.router]
    routers += [health.router, metrics.router, page.router, panoramax.router]
    routers.append(capabilities.router_of(settings, keys=rules.keys))
    if settings.legacy_apis:
        routers += [bocashi.router, verification.router, challenges.router]
    if settings.medical_apis:
        routers += [lesions.router, object_masking.router]
    app = _assemble(settings, rules, routers)
    app.mount("/web", page.files, name="web")
    return app


def create_bocashi_app(settings: Settings, listens_on: str = LOOPBACK) -> FastAPI:
    """Return the gateway with the bocashi API only."""
    return _assemble(
        settings, AccessRules.of(settings, listens_on), (bocashi.router, health.router, metrics.router)
    )
