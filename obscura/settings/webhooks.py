"""Webhooks: addresses, signing, retries."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class WebhooksSettings(BaseModel):
    """Webhooks: addresses, signing, retries."""

    model_config = ConfigDict(frozen=True)

    webhook_hosts: str = Field(
        "",
        description="hosts (`host`, `host:port`, `http://host`; commas between) that may be told of the end "
        "of tasks, and private networks (`10.0.0.0/8`) that those may lie in; unset: none",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="what webhooks are signed with: `whsec_<base64>`; while it is replaced, the new and the "
        "old one with a space between",
    )
    webhook_timeout_s: float = Field(
        10.0, gt=0, le=60, description="seconds that a receiver has for an answer"
    )
    webhook_first_pause_s: float = Field(
        5.0, gt=0, description="seconds to the second attempt, about; each pause is four times the one before"
    )
    webhook_retry_s: int = Field(86_400, ge=0, description="seconds in which a webhook is tried again")
    webhook_key_slots: int = Field(
        8, ge=1, le=128, description="webhooks of one API key that are under way at once"
    )
    webhook_off_after_s: int = Field(
        259_200,
        ge=1,
        description="seconds of nothing but failures after which a receiver is switched off: it then gets "
        "one webhook a day until it takes one",
    )
