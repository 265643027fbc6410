"""Videos: limits and scratch directory."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class VideoSettings(BaseModel):
    """Videos: limits and scratch directory."""

    model_config = ConfigDict(frozen=True)

    video_max_upload_mb: int = Field(1024, ge=1, le=65_536, description="largest video accepted, MiB")
    video_max_s: int = Field(3600, ge=1, description="longest video accepted, seconds")
    video_max_frames: int = Field(216_000, ge=1, description="most frames of a video")
    video_max_pixels: int = Field(17_000_000, ge=1, description="largest frame of a video, pixels")
    video_upload_timeout_s: float = Field(
        1800.0, gt=0, description="seconds within which the request body with a video must arrive"
    )
    video_queue_limit: int = Field(
        50, ge=1, description="most unfinished videos; further ones are answered with 503"
    )
    video_limit_s: int = Field(7200, ge=1, description="time limit of a video, seconds")
    video_stall_s: float = Field(
        120.0, gt=0, description="seconds without a finished frame after which a video fails"
    )
    video_memory_mb: int = Field(
        4096, ge=256, description="memory limit of the process that works on a video, MiB"
    )
    video_dir: Path | None = Field(
        None, description="folder for videos in work; unset: the system's temporary folder"
    )

    @property
    def video_max_upload_bytes(self) -> int:
        """Largest video accepted, in bytes."""
        return self.video_max_upload_mb * 1024 * 1024
