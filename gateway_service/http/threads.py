"""Run small local I/O inline and the rest in threads.

A thread is no gain where Python itself works (the gate, a hash) or where the page cache answers (a file of
some kilobytes), and it has a price: it waits for a core and for the interpreter, and then the loop does, a
millisecond each where all cores are at work. Both are bounded, so that nobody waits long for somebody else's
photo: by a length at which the worst file that the gate can be shown takes 30 ms of any thread, and by file
systems of this machine. A bucket or a mounted folder of another machine may not answer, and the loop never
waits for one.
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
    """Whether ``length`` bytes can be written to or read from ``storage`` at once; None is any length."""
    return length is not None and length <= AT_ONCE_BYTES and storage.is_near


async def run_in_thread(work: Callable[[], T], *, quick: bool) -> T:
    """Return what ``work`` does: now, or after a turn of a thread."""
    return work() if quick else await asyncio.to_thread(work)


async def reading(storage: Storage, key: str, work: Callable[[], T]) -> T:
    """Return what ``work`` reads of a stored object, at once where that is small and near."""
    length = storage.size(key) if storage.is_near else None
    return await run_in_thread(work, quick=is_quick(storage, length))


async def fetch(storage: Storage, key: str) -> bytes:
    """Return the bytes of a stored object; raise as `Storage.get` does."""
    return await reading(storage, key, partial(storage.get, key))
