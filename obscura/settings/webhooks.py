"""Webhooks: addresses, signing, retries."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class WebhooksSettings(BaseModel):
    """Webhooks: addresses, signing, retries."""

    model_config = ConfigDict(frozen=True)

    webhook_hosts: str = Field(
        "",
        description="hosts (`host`, `host:port`, `http://host`; comma-separated) that webhooks may name, "
        "and private networks (`10.0.0.0/8`) in which those hosts may be; unset: none",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="secret that signs webhooks, `whsec_<base64>`; during a rotation the new and the old "
        "one, separated by a space",
    )
    webhook_timeout_s: float = Field(10.0, gt=0, le=60, description="timeout of a receiver, seconds")
    webhook_first_pause_s: float = Field(
        5.0,
        gt=0,
        description="approximate seconds before the second attempt; each further pause is four times longer",
    )
    webhook_retry_s: int = Field(86_400, ge=0, description="seconds for which a webhook is retried")
    webhook_key_slots: int = Field(8, ge=1, le=128, description="concurrent webhook deliveries per API key")
    webhook_off_after_s: int = Field(
        259_200,
        ge=1,
        description="seconds of failures without a success after which a receiver is switched off: it then "
        "gets one webhook a day until it accepts one",
    )
