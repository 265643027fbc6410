"""API keys: their format, scopes and stored fields.

A key is ``obscura_<id>_<secret>``. The id is public: it identifies the key in lists, and the owner of a job.
Only the SHA-256 of the whole text is stored. A slow password hash is not needed, since the secret is 256
random bits, and would let anybody load a gateway with wrong keys.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ApiKey", "NewKey", "Scope", "digest", "id_in", "new_key"]

PREFIX = "obscura"
ID_BYTES = 8
SECRET_BYTES = 32
MAX_LENGTH = 128


class Scope(StrEnum):
    """Permission of a key; ``metrics`` covers the system's state only, ``admin`` covers everything."""

    SUBMIT = "submit"
    READ = "read"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """A stored key, without its secret. Times are seconds since 1970 by the server's clock."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created: float
    expires: float | None = None
    last_used: float | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key has ``scope``, itself or through ``admin``."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @classmethod
    def from_fields(cls, key_id: str, fields: Mapping[str, str]) -> "ApiKey":
        """Return the key with these stored fields; raise KeyError or ValueError if they are damaged."""
        return cls(
            id=key_id,
            name=fields["name"],
            scopes=frozenset(Scope(name) for name in fields["scopes"].split(",")),
            created=float(fields["created"]),
            expires=_moment(fields.get("expires")),
            last_used=_moment(fields.get("last_used")),
        )


def _moment(text: str | None) -> float | None:
    return float(text) if text else None


@dataclass(frozen=True)
class NewKey:
    """A new key with its text, which is not stored."""

    id: str
    text: str


def new_key() -> NewKey:
    """Return a new random key."""
    key_id = secrets.token_hex(ID_BYTES)
    return NewKey(key_id, f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}")


def digest(text: str) -> str:
    """Return the stored digest of a key's text: SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_in(text: str) -> str | None:
    """Return the id in a key's text, None if the text does not have the format of a key."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    is_key = prefix == PREFIX and len(key_id) == 2 * ID_BYTES and key_id.isalnum() and key_id.isascii()
    return key_id if is_key and secret and len(text) <= MAX_LENGTH else None
