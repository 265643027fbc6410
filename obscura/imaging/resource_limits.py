"""Limits of processor time and memory for opening a file.

Validation refuses what is visible in a file's structure. A file that passes it and still costs minutes or
gigabytes meets these limits of the kernel (setrlimit, setitimer), set while a parser runs and removed after
it, so that pixels need not be copied from another process. Every parser of uploaded bytes runs `within` a
budget: picture decoders, colour profiles, pydicom, FFmpeg's probing.
"""

import math
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from obscura.errors import PhotoTooCostlyError

__all__ = ["BASE_MEMORY", "BYTES_PER_PIXEL", "Budget", "for_picture", "within"]

BASE_MEMORY: Final = 256 << 20
BYTES_PER_PIXEL: Final = 32
"""Memory per pixel. The largest measured value is 26 bytes (PNG with 16 bits and alpha: decoding, conversion,
comparison, rotation)."""
COPIES: Final = 4
"""Number of copies of the file in memory while it is parsed: its metadata and its stripped file among
them."""
AGAIN_S: Final = 1.0
"""Seconds of processor time after which the error is raised again, for parsers that catch the first one."""

GRACE_S: Final = 5.0
"""Seconds of processor time that native code has to return before the process is killed."""

_TICKS: Final = -8
"""Linux clock id of this process's tick-based CPU time: ``(~0 << 3) | CPUCLOCK_PROF`` of
``linux/posix-timers.h``."""

_STATM: Final = Path("/proc/self/statm")
_DATA: Final = 5
"""Index of the field "data + stack", in pages, in ``/proc/self/statm``."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Resource budget of opening one photo.

    Attributes
    ----------
    cpu_s
        Seconds of processor time after which `PhotoTooCostlyError` is raised.
    memory_bytes
        Memory beyond what the process has; enforced where ``/proc/self/statm`` exists.
    kill_after_s
        Seconds of wall time after which SIGALRM kills the process; SIGXCPU does after `GRACE_S` seconds of
        processor time beyond ``cpu_s``. Both are for decoders that stay in native code, where no exception
        can be raised. 0: never, for a process that nothing restarts.
    """

    cpu_s: float
    memory_bytes: int
    kill_after_s: float = 0.0


def for_picture(budget: Budget | None, pixels: int, file_bytes: int) -> Budget | None:
    """Return ``budget`` with its memory reduced to what ``pixels`` in a file of ``file_bytes`` need."""
    if budget is None:
        return None
    needed = BASE_MEMORY + BYTES_PER_PIXEL * pixels + COPIES * file_bytes
    return replace(budget, memory_bytes=min(budget.memory_bytes, needed))


@contextmanager
def within(budget: Budget | None) -> Iterator[None]:
    """Run a block under ``budget``; without one, or outside the main thread, without limits.

    Signal handlers run in the main thread only. Workers and the command line open photos there.

    Raises
    ------
    PhotoTooCostlyError
        If the block takes too much processor time or memory.
    """
    if budget is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with ExitStack() as limits:
        if budget.kill_after_s:
            limits.enter_context(_wall_time(budget.kill_after_s))
            limits.enter_context(_cpu_limit(budget.cpu_s + GRACE_S))
        limits.enter_context(_memory(budget.memory_bytes))
        limits.enter_context(_processor_time(budget.cpu_s))
        yield


@contextmanager
def _processor_time(seconds: float) -> Iterator[None]:
    def give_up(_number: int, _frame: FrameType | None) -> NoReturn:
        message = f"opening the photo took more than {seconds:g} s of processor time"
        raise PhotoTooCostlyError(message)

    before = signal.signal(signal.SIGPROF, give_up)
    try:
        # Repeated, because parsers written in Python may catch the exception and continue.
        signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN_S)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _wall_time(seconds: float) -> Iterator[None]:
    handler = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # In this order, so that a timer set by other code cannot meet the default handler, which kills.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = math.ceil(_limited_time() + seconds)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        yield
        return
    resource.setrlimit(resource.RLIMIT_CPU, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _limited_time() -> float:
    """Return the seconds of processor time that the kernel compares with RLIMIT_CPU.

    Linux counts ticks in user and kernel mode, which on a busy or virtual machine exceed
    ``time.process_time`` by seconds after some hundred.
    """
    try:
        return max(time.clock_gettime(_TICKS), time.process_time())
    except OSError:
        return time.process_time()


@contextmanager
def _memory(limit: int) -> Iterator[None]:
    # RLIMIT_DATA, not RLIMIT_AS, which counts address space that thread heaps reserve and never use.
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # Memory that malloc keeps of earlier photos is available on top; subtracting it takes too long.
    wanted = _data_bytes() + limit
    if wanted == limit or (hard != resource.RLIM_INFINITY and wanted > hard):
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    except MemoryError as error:
        message = f"opening the photo took more than {limit >> 20} MiB of memory"
        raise PhotoTooCostlyError(message) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    """Return the memory that counts for RLIMIT_DATA; 0 where it is unknown."""
    try:
        return int(_STATM.read_bytes().split()[_DATA]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
