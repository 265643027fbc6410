"""Small writes that workers need to go on, also where the server's memory is used up."""

import redis

__all__ = ["WRITE", "write_when_full"]

WRITE = """#!lua flags=allow-oom
local reply = redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
return {reply and (type(reply) == 'table' and reply.ok or tostring(reply)) or ''}
"""
"""Runs the command in ARGV on the one key."""


def write_when_full(client: redis.Redis, key: str, command: str, *args: str | float) -> None:
    """Run one small command on ``key``; raise RedisError where the server is away."""
    client.eval(WRITE, 1, key, command, *args)
