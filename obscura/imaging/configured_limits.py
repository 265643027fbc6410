"""Validation limits from the settings."""

from obscura.contract import Frames
from obscura.imaging.medical_validation import MEDICAL
from obscura.imaging.resource_limits import BASE_MEMORY, BYTES_PER_PIXEL, Budget
from obscura.imaging.validation import ValidationLimits
from obscura.settings import Settings

__all__ = ["medical_limits", "probe_budget", "validation_limits"]


def validation_limits(settings: Settings, frames: Frames = Frames.ONE) -> ValidationLimits:
    """Return what a photo may be at most here, where several frames are asked for or not."""
    return ValidationLimits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_side=settings.max_side,
        max_scans=settings.max_scans,
        max_frames=settings.max_frames if frames is Frames.ALL else 1,
        budget=_budget(settings, settings.max_pixels),
    )


def medical_limits(settings: Settings) -> ValidationLimits:
    """Return what a mammogram may be at most here: the medical profile of the gate."""
    return ValidationLimits(
        max_bytes=settings.medical_max_upload_bytes,
        max_pixels=settings.medical_max_pixels,
        max_side=settings.max_side,
        max_scans=settings.max_scans,
        formats=MEDICAL,
        budget=_budget(settings, settings.medical_max_pixels),
    )


def probe_budget(settings: Settings) -> Budget:
    """Return what opening a video may cost here, before any of it is worked on.

    FFmpeg decodes its first frames to know what they are: as much as a few of the largest take.
    """
    memory = BASE_MEMORY + BYTES_PER_PIXEL * settings.video_max_pixels
    return Budget(settings.decode_cpu_s, min(memory, settings.video_memory_mb << 20))


def _budget(settings: Settings, max_pixels: int) -> Budget:
    """Return what opening a photo may cost here."""
    megabytes = settings.decode_memory_mb
    memory = megabytes << 20 if megabytes else BASE_MEMORY + BYTES_PER_PIXEL * max_pixels
    return Budget(settings.decode_cpu_s, memory, settings.decode_kill_s)
