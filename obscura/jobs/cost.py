"""About how much work a job is, so that turns are counted in work and not in requests."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from obscura.contract import JobKind, JobOptions, Quality

__all__ = ["cost_of", "megapixels_of"]

QUALITY_FACTORS: Final[Mapping[Quality, float]] = MappingProxyType(
    {Quality.RAPID: 0.1, Quality.FAST: 0.3, Quality.BALANCED: 1.0, Quality.THOROUGH: 3.0}
)
"""Time of a photo with each quality over that with `balanced`, about (docs/explanation/capacity.md)."""

KIND_FACTORS: Final[Mapping[JobKind, float]] = MappingProxyType(
    {JobKind.REDACT: 0.2, JobKind.BLUR_VIDEO: 10.0}
)
"""A redaction of given boxes looks for nothing; a video has far more pixels for each byte than a photo."""

LEAST: Final = 0.1
"""What every job costs, however small its photo is."""

PIXELS_PER_BYTE: Final = 4.0
"""About what a JPEG of a camera has."""


def megapixels_of(length: int) -> float:
    """Return about how many megapixels a file of ``length`` bytes has, where nobody has looked."""
    return length * PIXELS_PER_BYTE / 1e6


def cost_of(kind: JobKind, options: JobOptions, megapixels: float) -> float:
    """Return the cost of a job, in megapixels looked at with `balanced` quality."""
    factor = KIND_FACTORS.get(kind, QUALITY_FACTORS[options.quality])
    return max(LEAST, megapixels * factor)
