"""From the settings of an installation to the limits of its gate."""

from obscura.imaging.gate import GateLimits
from obscura.settings import Settings

__all__ = ["gate_limits"]


def gate_limits(settings: Settings) -> GateLimits:
    """Return what a photo may be at most here."""
    return GateLimits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_side=settings.max_side,
        max_scans=settings.max_scans,
    )
