"""What is hidden and how; what requests may not weaken; verification and provenance."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Unspliceable(StrEnum):
    """What happens to a JPEG that cannot be redacted in place (arithmetic coding and the like).

    ``recode`` decodes it and encodes it again at its own quantisation, with a warning in the report;
    ``refuse`` fails the job with the code ``not_spliceable``.
    """

    RECODE = "recode"
    REFUSE = "refuse"


class RedactionSettings(BaseModel):
    """What is hidden and how; what requests may not weaken; verification and provenance."""

    model_config = ConfigDict(frozen=True)

    max_cells: int = Field(5, ge=1, le=64, description="policy floor: most mosaic cells per object")
    max_keep_share: float = Field(
        0.25, ge=0, le=1, description="largest share of a photo that `keep` zones may cover"
    )
    min_grow: float = Field(1.0, ge=1.0, le=3.0, description="policy floor: least growth of a box")
    max_min_confidence: float = Field(
        0.9, gt=0.0, le=1.0, description="policy floor: highest confidence threshold a request may set"
    )
    unspliceable: Unspliceable = Field(
        Unspliceable.RECODE,
        description="a JPEG that cannot be redacted in place: `recode` it with a warning, or `refuse` it",
    )
    review: bool = Field(
        True, description="look at every redacted picture again; what is still seen makes it `needs_review`"
    )
    manifest_key: SecretStr | None = Field(
        None,
        description="signs the manifest of every redacted picture: `hmac:<hex>` or `ed25519:<hex seed>`; "
        "unset: manifests are not signed",
    )
