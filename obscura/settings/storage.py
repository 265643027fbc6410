"""Where photos and results are stored, and for how long."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class StorageChoice(StrEnum):
    """Where photos and results lie."""

    FOLDER = "folder"
    S3 = "s3"


class StorageSettings(BaseModel):
    """Where photos and results are stored, and for how long."""

    model_config = ConfigDict(frozen=True)

    storage_dir: Path = Field(Path(".obscura/photos"), description="folder of photos and results")
    storage: StorageChoice = Field(
        StorageChoice.FOLDER, description="where photos and results lie: folder or s3"
    )
    storage_public_url: str | None = Field(
        None, description="URL under which stored photos can be read, where there is one"
    )
    s3_bucket: str = Field("", description="bucket; it has to be there")
    s3_endpoint: str | None = Field(None, description="address of the S3 server; unset: Amazon's")
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_path_style: bool | None = Field(
        None, description="bucket in the path and not in the host name; unset: yes where s3_endpoint is set"
    )
    s3_access_key_id: SecretStr | None = Field(None, description="key; unset: the role of the machine")
    s3_secret_access_key: SecretStr | None = Field(None, description="secret of the key")
    s3_timeout_s: float = Field(10.0, gt=0, le=300, description="seconds that S3 has for an answer")
    s3_link_ttl_s: int = Field(3600, ge=1, le=604_800, description="seconds that signed URLs work")
    result_ttl_s: int = Field(3600, ge=1, description="seconds that results are kept")
    zero_retention: bool = Field(
        False, description="answer every photo in its own request and keep nothing after it, for all callers"
    )
    max_retain_s: int = Field(900, ge=0, description="longest `retain` of a detected photo's original")
    sweep_interval_s: float = Field(
        60.0, gt=0, description="seconds between two searches for orphans in the storage"
    )
    audit_file: Path | None = Field(
        None, description="the audit log; unset: `audit.jsonl` beside the folder of photos"
    )
    audit_key: SecretStr | None = Field(
        None, description="secret that chains the audit log by HMAC; unset: by plain SHA-256"
    )
    upload_dir: Path | None = Field(
        None, description="folder of uploads that are still arriving, best a tmpfs; unset: the system's own"
    )

    @property
    def audit_path(self) -> Path:
        """Where the audit log is."""
        return self.audit_file or self.storage_dir.parent / "audit.jsonl"

    @property
    def audit_secret(self) -> bytes:
        """The key of the audit log's chain; empty where there is none."""
        return self.audit_key.get_secret_value().encode() if self.audit_key else b""
