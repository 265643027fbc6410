"""Photo verification: database, challenges, pictures by URL."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class VerificationSettings(BaseModel):
    """Photo verification: database, challenges, pictures by URL."""

    model_config = ConfigDict(frozen=True)

    database_url: SecretStr | None = Field(
        None,
        description="photo verification: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`; "
        "unset: the file `.obscura/verification.db`",
    )
    time_zone: str = Field(
        "Asia/Seoul", description="photo verification: time zone of a challenge's days and hours"
    )
    verification_timeout_s: float = Field(
        30.0, gt=0, le=300, description="photo verification: longest wait for an answer, seconds"
    )
    verification_strictness: Literal["lenient", "normal", "strict"] = Field(
        "normal", description="photo verification: how strict the comparison of two photos is"
    )
    verification_url_hosts: str = Field(
        "",
        description="photo verification: hosts (`host` or `host:port`, comma-separated) from which photos "
        "are fetched by `url`, and private networks (`10.0.0.0/8`) in which those hosts may be",
    )
    verification_owner: str = Field(
        "",
        pattern="^[A-Za-z0-9]*$",
        description="photo verification: id of the API key that owns photos without an owner: those sent "
        "while API keys were not required, and rows that other programs wrote; unset: none",
    )
    verification_replay: bool = Field(
        False,
        description="photo verification: refuse a photo that was sent before or equals the standard photo",
    )
