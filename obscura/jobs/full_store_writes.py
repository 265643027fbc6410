"""Small writes that Valkey accepts although its ``maxmemory`` is reached (the script flag ``allow-oom``)."""

import redis

__all__ = ["WRITE", "write_when_full"]

WRITE = """#!lua flags=allow-oom
local reply = redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
return {reply and (type(reply) == 'table' and reply.ok or tostring(reply)) or ''}
"""
"""Lua: runs the command ARGV[1] on KEYS[1] with the remaining arguments."""


def write_when_full(client: redis.Redis, key: str, command: str, *args: str | float) -> None:
    """Run a small write command on ``key`` even if the server's memory is full; raise RedisError."""
    client.eval(WRITE, 1, key, command, *args)
