"""API keys and what is stored of them.

A key reads ``obscura_<id>_<secret>``. The id is public: it names the key in lists, and the owner of a job.
Kept is the SHA-256 of the whole text. A slow hash protects what people invent; the secret here is 256 bits
from the system's generator, which no list of guesses holds, and a slow hash would only let strangers keep a
gateway busy with wrong keys.
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
    """What a key may do; ``metrics``: see how the system is, and nothing else; ``admin``: everything."""

    SUBMIT = "submit"
    READ = "read"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept. Times are seconds since 1970 by the server's clock."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created: float
    expires: float | None = None
    last_used: float | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do what ``scope`` stands for."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @classmethod
    def from_fields(cls, key_id: str, fields: Mapping[str, str]) -> "ApiKey":
        """Return the key that a hash of the ledger's server stands for."""
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
    """A key at the only moment at which its text is known."""

    id: str
    text: str


def new_key() -> NewKey:
    """Return a key that nobody else has."""
    key_id = secrets.token_hex(ID_BYTES)
    return NewKey(key_id, f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}")


def digest(text: str) -> str:
    """Return what is kept of a key's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_in(text: str) -> str | None:
    """Return the id that a key's text names, or None where the text is no key at all."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    is_key = prefix == PREFIX and len(key_id) == 2 * ID_BYTES and key_id.isalnum() and key_id.isascii()
    return key_id if is_key and secret and len(text) <= MAX_LENGTH else None
