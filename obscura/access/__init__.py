"""Who may use an installation: API keys, their scopes, and when they are asked for."""

from obscura.access.keys import ApiKey, NewKey, Scope, new_key
from obscura.access.reach import asks_for_keys, is_loopback, is_reachable
from obscura.access.ring import AsyncKeyRing, KeyRing

__all__ = [
    "ApiKey",
    "AsyncKeyRing",
    "KeyRing",
    "NewKey",
    "Scope",
    "asks_for_keys",
    "is_loopback",
    "is_reachable",
    "new_key",
]
