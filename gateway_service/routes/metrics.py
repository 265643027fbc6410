"""The route of Prometheus metrics."""

from typing import Any

from fastapi import APIRouter, Request, Response

from gateway_service.http.dependencies import CurrentGateway
from gateway_service.metrics.exposition import expose

router = APIRouter(tags=["administration"])
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "numbers of the whole system, for Prometheus"}
}


@router.get("/metrics", response_class=Response, responses=TEXT)
async def get_metrics(request: Request, gateway: CurrentGateway) -> Response:
    """Return the metrics of the whole system; every gateway has those of all gateways and workers."""
    text, media_type = expose(await gateway.scraper.series(), request.headers.get("accept", ""))
    return Response(text, headers={"content-type": media_type})
