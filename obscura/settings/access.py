"""Who may use an installation: keys, hosts, rates, shares."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

# A rate in the syntax of the library `limits`, or 0.
RATE = r"^(0|[1-9]\d{0,8}/(second|minute|hour|day))$"


class ApiKeys(StrEnum):
    """Whether a gateway requires API keys; ``auto``: if other machines can reach it."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


def _items(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(",") if item.strip())


class AccessSettings(BaseModel):
    """Who may use an installation: keys, hosts, rates, shares."""

    model_config = ConfigDict(frozen=True)

    key_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of the free places of a queue, of the free bocashi slots and of the free memory "
        "of the job store that one API key may take",
    )
    key_store_mb: int = Field(
        0,
        ge=0,
        description="most memory that the records of one API key may take in Valkey, MiB; 0: `key_share` of "
        "Valkey's `maxmemory`, where it has one",
    )
    api_keys: ApiKeys = Field(
        ApiKeys.AUTO,
        description="require API keys: on, off, or auto (if other machines can reach the gateway)",
    )
    published_on: str = Field(
        "",
        description="address on which the gateway's port is published, if it differs from the address it "
        "listens on (containers); used by `api_keys=auto`",
    )
    allowed_hosts: str = Field(
        "", description="accepted values of the Host header, comma-separated; see docs/how-to/access.md"
    )
    cors_origins: str = Field(
        "",
        description="origins of web pages that may use this server, comma-separated; unset: none",
    )
    rate_limit: str = Field("3000/minute", pattern=RATE, description="requests of one API key; `0`: no limit")
    address_rate_limit: str | None = Field(
        None,
        pattern=RATE,
        description="requests of one address; unset: 6000/minute if API keys are required, else no limit",
    )
    max_streams: int = Field(
        100, ge=0, description="most event streams that one API key may have open at a gateway; 0: no limit"
    )
    trusted_proxies: str = Field(
        "", description="addresses of proxies whose X-Forwarded-For is trusted, comma-separated; unset: none"
    )
    hsts_s: int = Field(
        0, ge=0, description="seconds of Strict-Transport-Security; 0: the header is not sent"
    )
    public_url: str | None = Field(
        None, description="URL at which clients reach the gateway; unset: links in webhooks are paths"
    )
    docs: bool = Field(True, description="serve /docs and /openapi.json")
    legacy_apis: bool = Field(
        True, description="serve the APIs of earlier systems: /bocashi, /auth and its /admin; false: 404"
    )
    medical_apis: bool = Field(True, description="serve /detect_lesions and /detection; false: 404")

    @property
    def host_names(self) -> frozenset[str]:
        """The items of ``allowed_hosts``, in lower case."""
        return _items(self.allowed_hosts.lower())

    @property
    def cors_origin_names(self) -> frozenset[str]:
        """The items of ``cors_origins``, in lower case and without a trailing slash, as in browsers."""
        return frozenset(item.rstrip("/") for item in _items(self.cors_origins.lower()))
