"""Tune glibc malloc so that a worker reuses memory between photos.

A 12 megapixel photo is an array of 36 MB. By default glibc maps each such array anew and unmaps it when it is
freed, and the kernel zeroes every page: a fifth of a worker's CPU time outside the networks. `tune_malloc`
keeps up to `KEPT_BYTES` of freed memory for the next photo; `HeapTrimmer` returns what a larger photo left
beyond that.

Does nothing with other C libraries than glibc.
"""

import ctypes
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["KEPT_BYTES", "HeapTrimmer", "tune_malloc", "unused_bytes"]

KEPT_BYTES: Final = 128 * 1024 * 1024
"""Most freed memory that a process keeps: three arrays of 12 megapixels.

With more, several processes would exceed the memory limit of a container.
"""

# mallopt(3).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_NEVER_MAP: Final = 1 << 30

_STATM: Final = Path("/proc/self/statm")
_RESIDENT: Final = 1
"""Index of the resident set size, in pages, in ``/proc/self/statm``."""


class _Counts(ctypes.Structure):
    """See mallinfo(3)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


@cache
def _library() -> ctypes.CDLL | None:
    """Return glibc 2.33 or later, None with any other C library."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    try:
        library.gnu_get_libc_version  # noqa: B018 - asked for to see whether it is there
        library.mallinfo2.restype = _Counts
        library.mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
        library.malloc_trim.argtypes = (ctypes.c_size_t,)
    except AttributeError:
        return None
    return library


def tune_malloc() -> bool:
    """Make malloc keep up to `KEPT_BYTES` of freed memory; return whether the C library supports it.

    Call it once, before large arrays are allocated.
    """
    library = _library()
    if library is None:
        return False
    return bool(library.mallopt(_MMAP_THRESHOLD, _NEVER_MAP) and library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def unused_bytes() -> int:
    """Return the bytes that malloc holds free (``mallinfo2().fordblks``); 0 with another C library."""
    library = _library()
    return 0 if library is None else int(library.mallinfo2().fordblks)


class HeapTrimmer:
    """Returns freed memory beyond `KEPT_BYTES` to the kernel."""

    def __init__(self) -> None:
        self._resident_at_count = 0

    def trim(self) -> bool:
        """Return freed memory to the kernel if it exceeds `KEPT_BYTES`; return whether it did.

        Counting free memory (mallinfo2) takes longer than completing a step in the job store. It is therefore
        counted only if the resident size has grown by more than `KEPT_BYTES` since the last count.
        """
        library = _library()
        resident = _resident_bytes()
        if library is None or 0 < resident <= self._resident_at_count + KEPT_BYTES:
            return False
        unused = unused_bytes()
        if unused <= KEPT_BYTES:
            self._resident_at_count = resident - unused
            return False
        library.malloc_trim(0)
        # Trimmed memory still counts as free in mallinfo2, but is no longer resident.
        self._resident_at_count = _resident_bytes()
        return True


def _resident_bytes() -> int:
    """Return the resident set size of this process in bytes, 0 where /proc is missing."""
    try:
        return int(_STATM.read_bytes().split()[_RESIDENT]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
