"""Run small local I/O inline and the rest in threads.

A thread gains nothing for work that holds the interpreter lock (input validation, a hash) or that the page
cache answers (a file of some kilobytes), and switching threads costs about a millisecond each way while all
cores are busy. So work on small files in a folder runs in the event loop. The size is bounded so that the
most expensive hostile file takes 30 ms. Requests to a bucket always run in a thread.
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
    """Whether ``length`` bytes of ``storage`` may be read or written in the event loop (None: unknown)."""
    return length is not None and length <= AT_ONCE_BYTES and storage.is_folder


async def run_in_thread(work: Callable[[], T], *, quick: bool) -> T:
    """Return the result of ``work()``: run inline if ``quick``, else in a thread."""
    return work() if quick else await asyncio.to_thread(work)


async def reading(storage: Storage, key: str, work: Callable[[], T]) -> T:
    """Return the result of ``work()``, which reads the object ``key``; inline if `is_quick`."""
    length = storage.size(key) if storage.is_folder else None
    return await run_in_thread(work, quick=is_quick(storage, length))


async def fetch(storage: Storage, key: str) -> bytes:
    """Return the bytes of a stored object; raise as `Storage.get` does."""
    return await reading(storage, key, partial(storage.get, key))
