"""Route of the server's capabilities: limits, accepted formats and values of options."""

from collections.abc import Mapping

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway_service.http.dependencies import CurrentGateway
from gateway_service.openapi.forms import PICTURES, VIDEOS
from obscura import __version__
from obscura.contract import (
    MetadataPolicy,
    ObjectClass,
    OutputFormat,
    Quality,
    Queue,
    RedactionShape,
    RedactionStyle,
    extra_classes,
)
from obscura.errors import ServiceError
from obscura.jobs.worker_registry import offered_classes
from obscura.settings import Settings

__all__ = ["Capabilities", "router_of"]


class PhotoLimits(BaseModel):
    """Limits of a photo."""

    max_bytes: int
    max_pixels: int
    max_side: int = Field(description="longest side, in pixels")
    max_frames: int = Field(description="frames or pages, where `frames=all` is asked for")
    media_types: list[str]


class VideoLimits(BaseModel):
    """Limits of a video."""

    max_bytes: int
    max_seconds: int
    max_pixels: int = Field(description="pixels of a frame")
    media_types: list[str]


class PolicyLimits(BaseModel):
    """Limits of options by the server's policy."""

    max_cells: int
    min_grow: float
    max_min_confidence: float
    max_keep_share: float = Field(description="share of a photo that exclusion zones may cover")


class Capabilities(BaseModel):
    """Limits, accepted formats and values of options."""

    version: str = __version__
    keys: bool = Field(description="whether requests need an API key")
    docs: bool = Field(description="whether /docs is served")
    photo: PhotoLimits
    video: VideoLimits | None = Field(description="null: this server takes no videos")
    options: Mapping[str, list[str]] = Field(description="values of the form fields that have a choice")
    class_titles: Mapping[str, str] = Field(description="English names of the classes beyond face and plate")
    limits: PolicyLimits


def _capabilities(settings: Settings, *, keys: bool) -> Capabilities:
    photo = PhotoLimits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_side=settings.max_side,
        max_frames=settings.max_frames,
        media_types=PICTURES.split(", "),
    )
    video = VideoLimits(
        max_bytes=settings.video_max_upload_bytes,
        max_seconds=settings.video_max_s,
        max_pixels=settings.video_max_pixels,
        media_types=VIDEOS.split(", "),
    )
    choices = {
        "classes": ObjectClass,
        "quality": Quality,
        "style": RedactionStyle,
        "shape": RedactionShape,
        "metadata": MetadataPolicy,
        "output": OutputFormat,
    }
    return Capabilities(
        keys=keys,
        docs=settings.docs,
        photo=photo,
        video=None if settings.zero_retention else video,
        options={name: [item.value for item in values] for name, values in choices.items()},
        class_titles={},
        limits=PolicyLimits(
            max_cells=settings.max_cells,
            min_grow=settings.min_grow,
            max_min_confidence=settings.max_min_confidence,
            max_keep_share=settings.max_keep_share,
        ),
    )


def router_of(settings: Settings, *, keys: bool) -> APIRouter:
    """Return the route ``GET /capabilities`` of an installation; it needs no key."""
    router = APIRouter(tags=["administration"])
    known = _capabilities(settings, keys=keys)

    @router.get("/capabilities")
    async def get_capabilities(gateway: CurrentGateway) -> Capabilities:
        """Return limits, accepted formats and values of options; classes are those that workers offer now."""
        try:
            offered = await offered_classes(gateway.job_store.client, Queue.PHOTOS)
        except ServiceError:
            return known
        titles = {item.name: item.title for item in extra_classes() if item.name in offered}
        options = {**known.options, "classes": [*known.options["classes"], *titles]}
        return known.model_copy(update={"options": options, "class_titles": titles})

    return router
