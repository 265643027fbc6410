"""Task ids with a check value, which distinguishes issued from invented ids without a record.

An id is a UUID (version 8, RFC 9562): time of creation in units of 64 s (26 bits), 72 random bits, and a 24
bit hash of both and of the owner. The hash is not a signature: a forged id only makes the server answer that
the task was lost.
"""

import hashlib
import secrets
import time
import uuid

__all__ = ["new_id", "was_issued"]

TICK_S = 64
TIME_BITS, RANDOM_BITS, CHECK_BITS = 26, 72, 24
# The free bits of a version 8 UUID lie around its version and variant fields.
LOW_BITS, MIDDLE_BITS = 62, 12
VERSION, VARIANT = 8, 2


def _check(body: int, owner: str) -> int:
    text = f"{body:x}\n{owner}".encode()
    return int.from_bytes(hashlib.blake2s(text, digest_size=CHECK_BITS // 8, person=b"task id").digest())


def new_id(owner: str) -> str:
    """Return the id of a new task; ``owner`` is the id of an API key, empty where keys are not required."""
    ticks = int(time.time()) // TICK_S % (1 << TIME_BITS)
    body = ticks << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    free = body << CHECK_BITS | _check(body, owner)
    low = free & (1 << LOW_BITS) - 1
    middle = free >> LOW_BITS & (1 << MIDDLE_BITS) - 1
    high = free >> (LOW_BITS + MIDDLE_BITS)
    return str(uuid.UUID(int=high << 80 | VERSION << 76 | middle << 64 | VARIANT << LOW_BITS | low))


def was_issued(task_id: str, owner: str, within_s: float) -> bool:
    """Whether ``task_id`` was issued to ``owner`` in the last ``within_s`` seconds, to within a minute."""
    try:
        number = uuid.UUID(task_id).int
    except ValueError:
        return False
    if str(uuid.UUID(int=number)) != task_id or (number >> 76 & 0xF, number >> LOW_BITS & 3) != (
        VERSION,
        VARIANT,
    ):
        return False
    low = number & (1 << LOW_BITS) - 1
    middle = number >> 64 & (1 << MIDDLE_BITS) - 1
    free = (number >> 80) << (LOW_BITS + MIDDLE_BITS) | middle << LOW_BITS | low
    body = free >> CHECK_BITS
    age_s = time.time() - (body >> RANDOM_BITS) * TICK_S
    # The clocks of gateways may differ a little.
    return _check(body, owner) == free & (1 << CHECK_BITS) - 1 and -TICK_S <= age_s <= within_s + TICK_S
