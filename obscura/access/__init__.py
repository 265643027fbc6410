"""API keys, their scopes, and whether an installation requires them.

The key store is not imported here: `key_store` loads the Redis client, which not every importer needs.
"""

from obscura.access.exposure import is_loopback, is_reachable, requires_keys
from obscura.access.keys import ApiKey, NewKey, Scope, new_key

__all__ = [
    "ApiKey",
    "NewKey",
    "Scope",
    "is_loopback",
    "is_reachable",
    "new_key",
    "requires_keys",
]
