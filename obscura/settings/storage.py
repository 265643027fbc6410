"""Where photos and results are stored, and for how long."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class StorageChoice(StrEnum):
    """Kind of the object storage."""

    FOLDER = "folder"
    S3 = "s3"


class StorageSettings(BaseModel):
    """Where photos and results are stored, and for how long."""

    model_config = ConfigDict(frozen=True)

    storage_dir: Path = Field(Path(".obscura/photos"), description="folder of photos and results")
    storage: StorageChoice = Field(
        StorageChoice.FOLDER, description="kind of the storage of photos and results: folder or s3"
    )
    storage_public_url: str | None = Field(
        None, description="public URL of the stored photos, if there is one"
    )
    s3_bucket: str = Field("", description="name of an existing bucket")
    s3_endpoint: str | None = Field(None, description="URL of the S3 server; unset: Amazon's")
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_path_style: bool | None = Field(
        None, description="bucket in the path instead of the host name; unset: yes if s3_endpoint is set"
    )
    s3_access_key_id: SecretStr | None = Field(
        None, description="access key id; unset: the role of the machine"
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="secret access key")
    s3_timeout_s: float = Field(10.0, gt=0, le=300, description="timeout of an S3 request, seconds")
    s3_link_ttl_s: int = Field(3600, ge=1, le=604_800, description="lifetime of signed URLs, seconds")
    result_ttl_s: int = Field(3600, ge=1, description="seconds that results are kept")
    zero_retention: bool = Field(
        False, description="answer every photo in its own request and keep nothing after it, for all callers"
    )
    max_retain_s: int = Field(
        900, ge=0, description="largest allowed `retain`, seconds that the original of a detection is kept"
    )
    sweep_interval_s: float = Field(60.0, gt=0, description="seconds between runs of the orphan collector")
    audit_file: Path | None = Field(
        None, description="file of the audit log; unset: `audit.jsonl` beside the folder of photos"
    )
    audit_key: SecretStr | None = Field(
        None, description="secret that chains the audit log by HMAC; unset: by plain SHA-256"
    )
    upload_dir: Path | None = Field(
        None, description="folder for uploads while they arrive, best a tmpfs; unset: the system's own"
    )

    @property
    def audit_path(self) -> Path:
        """Path of the audit log."""
        return self.audit_file or self.storage_dir.parent / "audit.jsonl"

    @property
    def audit_secret(self) -> bytes:
        """Key of the audit log's HMAC chain; empty if it is unset."""
        return self.audit_key.get_secret_value().encode() if self.audit_key else b""
