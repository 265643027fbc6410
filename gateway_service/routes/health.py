"""Liveness and readiness routes."""

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel

from gateway_service.http.dependencies import CurrentGateway
from obscura import __version__
from obscura.contract import queues_of
from obscura.errors import ServiceError
from obscura.jobs.worker_registry import unserved_queues

router = APIRouter(tags=["administration"])


class Readiness(BaseModel):
    """Missing parts of the system; none when ready."""

    ready: bool
    missing: list[str]
    version: str = __version__


class Liveness(BaseModel):
    """Said by a process that runs."""

    status: str = "alive"


@router.get("/livez")
async def check_liveness() -> Liveness:
    """Answer 200 while the process runs; nothing else is checked."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def check_readiness(gateway: CurrentGateway, response: Response) -> Readiness:
    """Answer 200 once broker and storage are available and every queue has a worker with a loaded model."""
    missing: list[str] = []
    try:
        needed = queues_of(gateway.settings.pipeline)
        missing += [f"worker:{queue}" for queue in await unserved_queues(gateway.job_store.client, needed)]
    except ServiceError:
        missing.append("broker")
    try:
        await asyncio.to_thread(gateway.storage.check)
    except ServiceError:
        missing.append("storage")
    if missing:
        response.status_code = 503
        response.headers["retry-after"] = "2"
    return Readiness(ready=not missing, missing=missing)
