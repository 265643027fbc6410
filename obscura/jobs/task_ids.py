"""Task ids with a check value, so that issued ids are told from invented ones.

An id is a UUID (version 8, RFC 9562): when it was made, to a minute, 72 random bits, and a check of 24 bits
over both and over whom the task belongs to. The check is no signature: who works out an id that passes it
fools nobody but himself, since all that such an id brings is the word that its task was lost.
"""

import hashlib
import secrets
import time
import uuid

__all__ = ["new_id", "was_issued"]

TICK_S = 64
TIME_BITS, RANDOM_BITS, CHECK_BITS = 26, 72, 24
# What a UUID of version 8 leaves free lies around its version and its variant.
LOW_BITS, MIDDLE_BITS = 62, 12
VERSION, VARIANT = 8, 2


def _check(body: int, owner: str) -> int:
    text = f"{body:x}\n{owner}".encode()
    return int.from_bytes(hashlib.blake2s(text, digest_size=CHECK_BITS // 8, person=b"task id").digest())


def new_id(owner: str) -> str:
    """Return the id of a new task of ``owner``, which is empty where no keys are asked for."""
    ticks = int(time.time()) // TICK_S % (1 << TIME_BITS)
    body = ticks << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    free = body << CHECK_BITS | _check(body, owner)
    low = free & (1 << LOW_BITS) - 1
    middle = free >> LOW_BITS & (1 << MIDDLE_BITS) - 1
    high = free >> (LOW_BITS + MIDDLE_BITS)
    return str(uuid.UUID(int=high << 80 | VERSION << 76 | middle << 64 | VARIANT << LOW_BITS | low))


def was_issued(task_id: str, owner: str, within_s: float) -> bool:
    """Whether ``task_id`` was made for ``owner`` in the last ``within_s`` seconds, give or take a minute."""
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
    # Clocks of several gateways differ a little.
    return _check(body, owner) == free & (1 << CHECK_BITS) - 1 and -TICK_S <= age_s <= within_s + TICK_S
