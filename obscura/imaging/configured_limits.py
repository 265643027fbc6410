"""Validation limits from the settings."""

from obscura.contract import Frames
from obscura.imaging.medical_validation import MEDICAL
from obscura.imaging.resource_limits import BASE_MEMORY, BYTES_PER_PIXEL, Budget
from obscura.imaging.validation import ValidationLimits
from obscura.settings import Settings

__all__ = ["medical_limits", "probe_budget", "validation_limits"]


def validation_limits(settings: Settings, frames: Frames = Frames.ONE) -> ValidationLimits:
    """Return the validation limits of photos; several frames are allowed for `Frames.ALL` only."""
    return ValidationLimits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_side=settings.max_side,
        max_scans=settings.max_scans,
        max_frames=settings.max_frames if frames is Frames.ALL else 1,
        budget=_budget(settings, settings.max_pixels),
    )


def medical_limits(settings: Settings) -> ValidationLimits:
    """Return the validation limits of mammograms."""
    return ValidationLimits(
        max_bytes=settings.medical_max_upload_bytes,
        max_pixels=settings.medical_max_pixels,
        max_side=settings.max_side,
        max_scans=settings.max_scans,
        formats=MEDICAL,
        budget=_budget(settings, settings.medical_max_pixels),
    )


def probe_budget(settings: Settings) -> Budget:
    """Return the resource budget of probing a video.

    FFmpeg decodes the first frames to find their format, so the memory is that of a frame of the largest
    size.
    """
    memory = BASE_MEMORY + BYTES_PER_PIXEL * settings.video_max_pixels
    return Budget(settings.decode_cpu_s, min(memory, settings.video_memory_mb << 20))


def _budget(settings: Settings, max_pixels: int) -> Budget:
    """Return the resource budget of opening a photo."""
    megabytes = settings.decode_memory_mb
    memory = megabytes << 20 if megabytes else BASE_MEMORY + BYTES_PER_PIXEL * max_pixels
    return Budget(settings.decode_cpu_s, memory, settings.decode_kill_s)
