"""Run small local I/O inline and the rest in threads.

A thread gains nothing where Python code itself runs (validation, a hash) or where the page cache answers (a
small file), and it costs about a millisecond when all cores are busy. Inline work is bounded, so that
requests do not wait long for each other: to a length for which the slowest validation takes 30 ms, and to
local file systems. A bucket or a network file system may not answer, so they are always used in a thread.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from obscura.storage import Storage

__all__ = ["AT_ONCE_BYTES", "fetch", "is_quick", "reading", "run_in_thread"]

T = TypeVar("T")
AT_ONCE_BYTES: Final = 128 * 1024


def is_quick(storage: Storage, length: int | None) -> bool:
    """Whether ``length`` bytes of ``storage`` are read or written inline.

    None: unknown length, in a thread.
    """
    return length is not None and length <= AT_ONCE_BYTES and storage.is_near


async def run_in_thread(work: Callable[[], T], *, quick: bool) -> T:
    """Return the result of ``work``, called inline where ``quick``, otherwise in a thread."""
    return work() if quick else await asyncio.to_thread(work)


async def reading(storage: Storage, key: str, work: Callable[[], T]) -> T:
    """Return the result of ``work``, which reads a stored object; inline where it is small and local."""
    length = storage.size(key) if storage.is_near else None
    return await run_in_thread(work, quick=is_quick(storage, length))


async def fetch(storage: Storage, key: str) -> bytes:
    """Return the bytes of a stored object; raise as `Storage.get` does."""
    return await reading(storage, key, partial(storage.get, key))
