"""Estimated cost of a job, the unit of fair queueing between owners."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from obscura.contract import JobKind, JobOptions, Quality

__all__ = ["cost_of", "megapixels_of"]

QUALITY_FACTORS: Final[Mapping[Quality, float]] = MappingProxyType(
    {Quality.RAPID: 0.1, Quality.FAST: 0.3, Quality.BALANCED: 1.0, Quality.THOROUGH: 3.0}
)
"""Approximate time of a photo by quality, relative to `balanced` (docs/explanation/capacity.md)."""

KIND_FACTORS: Final[Mapping[JobKind, float]] = MappingProxyType(
    {JobKind.REDACT: 0.2, JobKind.BLUR_VIDEO: 10.0}
)
"""A redaction of given boxes runs no detection; a video has far more pixels per byte than a photo."""

LEAST: Final = 0.1
"""Lowest cost of a job."""

PIXELS_PER_BYTE: Final = 4.0
"""Approximate value for JPEG files of cameras."""


def megapixels_of(length: int) -> float:
    """Return the estimated megapixels of a photo of ``length`` bytes whose header was not read."""
    return length * PIXELS_PER_BYTE / 1e6


def cost_of(kind: JobKind, options: JobOptions, megapixels: float) -> float:
    """Return the cost of a job, in megapixels detected with `balanced` quality."""
    factor = KIND_FACTORS.get(kind, QUALITY_FACTORS[options.quality])
    return max(LEAST, megapixels * factor)
