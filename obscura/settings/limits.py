"""Limits of uploads and of decoding them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field


class PhotoProfile(StrEnum):
    """A named set of upload limits."""

    DEFAULT = "default"
    PANORAMA = "panorama"


PROFILES: Mapping[PhotoProfile, Mapping[str, int]] = MappingProxyType(
    {
        PhotoProfile.DEFAULT: {},
        PhotoProfile.PANORAMA: {
            "max_upload_mb": 100,
            "max_pixels": 100_000_000,
            "max_side": 32_768,
        },
    }
)


class LimitsSettings(BaseModel):
    """Limits of uploads and of decoding them."""

    model_config = ConfigDict(frozen=True)

    profile: PhotoProfile = Field(
        PhotoProfile.DEFAULT,
        description="set of upload limits: default or panorama (100 MiB, 100 Mpx, side 32768); a limit "
        "that is set itself takes precedence",
    )
    max_upload_mb: int = Field(25, ge=1, le=4096, description="largest photo accepted, MiB")
    max_pixels: int = Field(50_000_000, ge=1, description="largest photo accepted, pixels")
    max_side: int = Field(16_384, ge=1, description="longest side accepted, pixels")
    max_frames: int = Field(200, ge=1, description="most frames or pages of a file with `frames=all`")
    max_scans: int = Field(64, ge=1, description="most scans of a progressive JPEG")
    medical_max_upload_mb: int = Field(100, ge=1, le=4096, description="largest mammogram accepted, MiB")
    medical_max_body_mb: int = Field(
        400, ge=1, le=65_536, description="largest body of several mammograms accepted, MiB"
    )
    medical_max_pixels: int = Field(120_000_000, ge=1, description="largest mammogram accepted, pixels")
    decode_cpu_s: float = Field(20.0, gt=0, description="CPU seconds that decoding a photo may take")
    decode_memory_mb: int = Field(
        0,
        ge=0,
        description="memory that decoding a photo may take, MiB; 0: 256 MiB plus 32 bytes per allowed pixel",
    )
    decode_kill_s: float = Field(
        30.0, ge=0, description="seconds after which a worker that still decodes a photo is killed; 0: never"
    )
    upload_timeout_s: float = Field(
        120.0, gt=0, description="seconds within which a request body must arrive"
    )
    upload_idle_s: float = Field(
        15.0, gt=0, description="seconds without a byte after which an upload is aborted"
    )
    max_batch_mb: int = Field(512, ge=1, le=65_536, description="largest body of a POST to /batches, MiB")
    max_archive_mb: int = Field(
        2048, ge=1, le=1_048_576, description="largest content of a zip sent to /batches, unpacked, MiB"
    )
    max_batch_files: int = Field(500, ge=1, le=10_000, description="most photos of one batch")
    max_form_files: int = Field(16, ge=1, description="most files of one form")
    max_form_fields: int = Field(64, ge=1, description="most fields of one form that are not files")

    @property
    def max_upload_bytes(self) -> int:
        """Largest photo accepted, in bytes."""
        return self.max_upload_mb * 1024 * 1024

    @property
    def medical_max_upload_bytes(self) -> int:
        """Largest mammogram accepted, in bytes."""
        return self.medical_max_upload_mb * 1024 * 1024

    @property
    def medical_max_body_bytes(self) -> int:
        """Largest body of several mammograms accepted, in bytes."""
        return self.medical_max_body_mb * 1024 * 1024
