"""API keys, their scopes, and when they are required.

Import-light on purpose: the rings of keys, in `ring`, load the client of the ledger.
"""

from obscura.access.exposure import asks_for_keys, is_loopback, is_reachable
from obscura.access.keys import ApiKey, NewKey, Scope, new_key

__all__ = [
    "ApiKey",
    "NewKey",
    "Scope",
    "asks_for_keys",
    "is_loopback",
    "is_reachable",
    "new_key",
]
