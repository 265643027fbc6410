"""The key store: API keys in Valkey, so that every gateway sees changes at once."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, cast

import redis
import redis.asyncio
from redis.exceptions import RedisError

from obscura.access.keys import ApiKey, Scope, digest, id_in, new_key
from obscura.errors import InvalidKeyError, QueueUnavailableError, UnknownKeyError
from obscura.jobs.commands import PREFIX
from obscura.jobs.store import JobStore
from obscura.settings import Settings

__all__ = ["AsyncKeyStore", "KeyStore"]

IDS = PREFIX + "keys"
# Resolution of the last use: avoids a write with every request.
LAST_USED_STEP_S = 60
CACHED_KEY_S = 300.0
"""Seconds for which a key that was found valid may still read while the server is away."""

MAX_CACHED_KEYS = 1000


def _key(key_id: str) -> str:
    return f"{PREFIX}key:{key_id}"


def _script() -> str:
    return resources.files("obscura.access").joinpath("find.lua").read_text("utf-8")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        message = "the API key store cannot be reached"
        raise QueueUnavailableError(message) from error


class KeyStore:
    """Creates, lists and revokes keys. Every method raises QueueUnavailableError if the server is away."""

    def __init__(self, settings: Settings) -> None:
        self._job_store = JobStore(settings)
        self._client: redis.Redis = self._job_store.client

    def create(self, name: str, scopes: frozenset[Scope], valid_s: float | None = None) -> tuple[ApiKey, str]:
        """Create a key that is valid for ``valid_s`` seconds, or for ever; return it with its text.

        The text is not stored and cannot be shown again.
        """
        made = new_key()
        with _translated():
            seconds, microseconds = self._client.time()
            now = seconds + microseconds / 1e6
            fields = {
                "name": name,
                "scopes": ",".join(sorted(scopes)),
                "created": repr(now),
                "digest": digest(made.text),
                "expires": "" if valid_s is None else repr(now + valid_s),
            }
            with self._client.pipeline() as change:
                change.hset(_key(made.id), mapping=dict[Any, Any](fields))
                change.sadd(IDS, made.id)
                change.execute()
        return ApiKey.from_fields(made.id, fields), made.text

    def all(self) -> tuple[ApiKey, ...]:
        """Return all keys that were not revoked, the oldest first."""
        with _translated():
            ids = sorted(cast("set[str]", self._client.smembers(IDS)))
            rows = [cast("dict[str, str]", self._client.hgetall(_key(key_id))) for key_id in ids]
        keys = (ApiKey.from_fields(key_id, row) for key_id, row in zip(ids, rows, strict=True) if row)
        return tuple(sorted(keys, key=lambda key: key.created))

    def revoke(self, key_id: str) -> None:
        """Revoke a key: the next request with it is refused, on every gateway.

        Raises
        ------
        UnknownKeyError
            If there is no key with this id.
        """
        with _translated(), self._client.pipeline() as change:
            change.delete(_key(key_id))
            change.srem(IDS, key_id)
            deleted, _ = change.execute()
        if not deleted:
            message = f"there is no key {key_id!r}"
            raise UnknownKeyError(message)

    def close(self) -> None:
        """Close all connections."""
        self._job_store.close()


class AsyncKeyStore:
    """Looks keys up, for gateways.

    The server is asked on every request, so a revoked key is refused at once. While the server is away, keys
    that were valid in the last `CACHED_KEY_S` seconds may read; no key can be revoked in that time either.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._find = client.register_script(_script())
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()

    async def find(self, text: str, *, reads: bool = False) -> ApiKey:
        """Return the key with this text; ``reads`` says that the request only reads.

        Raises
        ------
        InvalidKeyError
            If there is no such key, or it was revoked or has expired.
        QueueUnavailableError
            If the server does not answer.
        """
        message = "this API key is not valid: unknown, revoked or expired"
        key_id = id_in(text)
        if key_id is None:
            raise InvalidKeyError(message)
        hashed = digest(text)
        try:
            with _translated():
                pending = self._find(keys=[_key(key_id)], args=[hashed, LAST_USED_STEP_S])
                reply = await cast("Awaitable[list[str]]", pending)
        except QueueUnavailableError:
            known = self._recently_valid(hashed) if reads else None
            if known is None:
                raise
            return known
        self._known.pop(hashed, None)
        if not reply:
            raise InvalidKeyError(message)
        try:
            key = ApiKey.from_fields(key_id, dict(zip(reply[::2], reply[1::2], strict=True)))
        except (KeyError, ValueError) as error:
            # A damaged record does not tell the scopes of the key.
            raise InvalidKeyError(message) from error
        self._known[hashed] = time.time(), key
        if len(self._known) > MAX_CACHED_KEYS:
            self._known.popitem(last=False)
        return key

    def _recently_valid(self, hashed: str) -> ApiKey | None:
        known_at, key = self._known.get(hashed, (0.0, None))
        now = time.time()
        if key is None or now - known_at > CACHED_KEY_S or (key.expires is not None and key.expires <= now):
            return None
        return key

    async def is_valid(self, key_id: str) -> bool:
        """Whether the key exists and has not expired; does not update its last use.

        Raises
        ------
        QueueUnavailableError
            If the server does not answer.
        """
        with _translated():
            pending = cast("Awaitable[str | None]", self._client.hget(_key(key_id), "expires"))
            expires = await pending
            if not expires:
                # Empty: it never expires; None: there is no such key.
                return expires is not None
            seconds, _ = await self._client.time()
        return float(expires) > seconds
