"""Who may use an installation: keys, hosts, rates, shares."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

# Requests per time, as the library `limits` reads it.
RATE = r"^(0|[1-9]\d{0,8}/(second|minute|hour|day))$"


class ApiKeys(StrEnum):
    """Whether a gateway asks for API keys; ``auto`` does where other machines can reach it."""

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
        description="share of the places of a queue, of bocashi slots and of the store's memory that one API "
        "key may take of what other keys leave",
    )
    key_store_mb: int = Field(
        0,
        ge=0,
        description="most memory that the records of one API key may take in Valkey, MiB; 0: `key_share` of "
        "Valkey's `maxmemory`, where it has one",
    )
    api_keys: ApiKeys = Field(
        ApiKeys.AUTO, description="auto: asked for where other machines can reach the gateway; on; off"
    )
    published_on: str = Field(
        "",
        description="address that the gateway's port is published on, where it is not the one listened on "
        "(containers); decides on `auto`",
    )
    allowed_hosts: str = Field(
        "", description="host names that requests may name, comma-separated; see docs/how-to/access.md"
    )
    cors_origins: str = Field(
        "",
        description="origins of web pages that may use this server, comma-separated; unset: none",
    )
    rate_limit: str = Field("3000/minute", pattern=RATE, description="requests of one API key; `0`: no limit")
    address_rate_limit: str | None = Field(
        None,
        pattern=RATE,
        description="requests of one address; unset: 6000/minute where keys are asked for, else no limit",
    )
    max_streams: int = Field(
        100, ge=0, description="most event streams that one API key may have open at a gateway; 0: no limit"
    )
    trusted_proxies: str = Field(
        "", description="addresses of proxies whose X-Forwarded-For is believed, comma-separated; unset: none"
    )
    hsts_s: int = Field(
        0, ge=0, description="seconds of Strict-Transport-Security; 0: the header is not sent"
    )
    public_url: str | None = Field(
        None, description="address under which callers reach the gateway; unset: links in webhooks are paths"
    )
    docs: bool = Field(True, description="serve /docs and /openapi.json")
    legacy_apis: bool = Field(
        True, description="serve the APIs of earlier systems: /bocashi, /auth and its /admin; false: 404"
    )
    medical_apis: bool = Field(True, description="serve /detect_lesions and /detection; false: 404")

    @property
    def host_names(self) -> frozenset[str]:
        """Names of ``allowed_hosts``, in lower case."""
        return _items(self.allowed_hosts.lower())

    @property
    def cors_origin_names(self) -> frozenset[str]:
        """Origins of ``cors_origins``, as browsers write them."""
        return frozenset(item.rstrip("/") for item in _items(self.cors_origins.lower()))
