"""Tune glibc malloc so that a worker reuses memory between photos.

A photo of 12 megapixels is an array of 36 MB. The C library asks the kernel for each such array anew and
gives it back at once, and the kernel hands it out page by page, zeroed: a fifth of what a worker spends on it
beside the networks. A worker needs as much for its next photo, so it keeps what one photo takes. What
an unusually large photo took beyond that goes back when it is done: see `HeapTrimmer`.

Other C libraries than glibc are left as they are.
"""

import ctypes
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["KEPT_BYTES", "HeapTrimmer", "tune_malloc", "unused_bytes"]

KEPT_BYTES: Final = 128 * 1024 * 1024
"""Freed memory that a process keeps: three arrays of 12 megapixels. With more, several processes do not fit
into the memory that a container is given."""

# mallopt(3).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_NEVER_MAP: Final = 1 << 30

_STATM: Final = Path("/proc/self/statm")
_RESIDENT: Final = 1
"""Place of what is in memory, in pages, in a line of ``/proc/self/statm``."""


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
    """Return glibc with the functions used here (2.33 and later); None where there is none."""
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
    """Have this process keep up to `KEPT_BYTES` of what it frees; return whether the C library can.

    To be called once, before the memory is asked for.
    """
    library = _library()
    if library is None:
        return False
    return bool(library.mallopt(_MMAP_THRESHOLD, _NEVER_MAP) and library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def unused_bytes() -> int:
    """Return how much this process has of the kernel and holds nothing in; 0 where nothing tells."""
    library = _library()
    return 0 if library is None else int(library.mallinfo2().fordblks)


class HeapTrimmer:
    """Hands back to the kernel what a process has kept beyond `KEPT_BYTES`."""

    def __init__(self) -> None:
        self._held = 0

    def give_back(self) -> bool:
        """Hand freed memory back if it is more than `KEPT_BYTES`; return whether that was so.

        To count what is unused takes the C library longer than the ledger takes to end a step. So it is
        counted where the process has grown by more than that over what it held when it was last counted.
        """
        library = _library()
        resident = _resident_bytes()
        if library is None or 0 < resident <= self._held + KEPT_BYTES:
            return False
        unused = unused_bytes()
        if unused <= KEPT_BYTES:
            self._held = resident - unused
            return False
        library.malloc_trim(0)
        # What was handed back still counts as unused, but is not in memory any more.
        self._held = _resident_bytes()
        return True


def _resident_bytes() -> int:
    """Return how much of this process is in memory, or 0 where nothing tells."""
    try:
        return int(_STATM.read_bytes().split()[_RESIDENT]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
