"""Redaction: defaults, the policy floor, residual check, manifest and Content Credentials."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Unspliceable(StrEnum):
    """Treatment of a JPEG that cannot be spliced (arithmetic coding, for example).

    ``recode`` decodes and encodes it with its own quantisation tables, with a warning in the report;
    ``refuse`` fails the job with the code ``not_spliceable``.
    """

    RECODE = "recode"
    REFUSE = "refuse"


class RedactionSettings(BaseModel):
    """Redaction: defaults, the policy floor, residual check, manifest and Content Credentials."""

    model_config = ConfigDict(frozen=True)

    max_cells: int = Field(5, ge=1, le=64, description="policy floor: most mosaic cells per object")
    max_keep_share: float = Field(
        0.25, ge=0, le=1, description="largest share of a photo that exclusion zones (`keep`) may cover"
    )
    min_grow: float = Field(1.0, ge=1.0, le=3.0, description="policy floor: least growth of a box")
    max_min_confidence: float = Field(
        0.9, gt=0.0, le=1.0, description="policy floor: highest confidence threshold a request may set"
    )
    unspliceable: Unspliceable = Field(
        Unspliceable.RECODE,
        description="a JPEG that cannot be spliced: `recode` it with a warning, or `refuse` it",
    )
    residual_check: Literal["quick", "full", "off"] = Field(
        "quick",
        description="detection over every redacted picture, whose detections make it `needs_review`: `quick` "
        "(the proposal network), `full` (the full detectors) or `off`; a request may ask for a stronger one",
    )
    review: bool = Field(
        True, description="the older name of `residual_check`: `False` is `OBSCURA_RESIDUAL_CHECK=off`"
    )
    manifest_key: SecretStr | None = Field(
        None,
        description="key that signs the manifest of every redacted picture: `hmac:<hex>` or `ed25519:<hex "
        "seed>`; unset: manifests are not signed",
    )
    content_credentials: bool = Field(
        False,
        description="write signed Content Credentials (C2PA) into every redacted picture; needs the extra "
        "`c2pa`, a certificate and its key",
    )
    c2pa_certificate: str | None = Field(
        None,
        description="certificate chain (PEM, the signer's first) of Content Credentials; best as "
        "`OBSCURA_C2PA_CERTIFICATE_FILE`, which names a file",
    )
    c2pa_key: SecretStr | None = Field(
        None,
        description="private key (PEM, PKCS #8) of that certificate; best as `OBSCURA_C2PA_KEY_FILE`, which "
        "names a file",
    )

    @property
    def least_residual_check(self) -> Literal["quick", "full", "off"]:
        """The residual check of requests that name none, and the weakest that a request may choose."""
        return self.residual_check if self.review else "off"
