"""Limits of processor time and memory for opening a file.

The gate refuses what can be seen in a file's structure. What passes it and still costs minutes or gigabytes
meets these limits: they are the kernel's own, armed for as long as a parser runs and taken away after it, so
pixels need not be copied through another process. Every parser of what somebody sent runs `within` a budget
from its first byte: picture decoders, colour profiles, pydicom, FFmpeg's probing.
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
"""The most that any accepted format took was 26 bytes (PNG with 16 bits and alpha): decoded, converted,
compared, turned."""
COPIES: Final = 4
"""How often the bytes of a file may be in memory while it is parsed: its foreign parts, its bare picture."""
AGAIN_S: Final = 1.0
"""Seconds of processor time after which a parser that has swallowed the first error is told again."""

GRACE_S: Final = 5.0
"""Seconds of processor time that native code has to come back, so that the photo can be given up."""

_TICKS: Final = -8
"""Linux' clock id of this process's ticks: ``(~0 << 3) | CPUCLOCK_PROF`` of ``linux/posix-timers.h``."""

_STATM: Final = Path("/proc/self/statm")
_DATA: Final = 5
"""Place of "data + stack", in pages, in a line of ``/proc/self/statm``."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What opening one photo may cost.

    Attributes
    ----------
    cpu_s
        Seconds of processor time after which it is given up.
    memory_bytes
        Memory that it may take beyond what the process has; held where ``/proc`` tells how much that is.
    kill_after_s
        Seconds after which the process is ended by SIGALRM; `GRACE_S` seconds of processor time beyond
        ``cpu_s`` end it by SIGXCPU. Both are for decoders that stay in native code, where nothing can be
        raised. 0 for a process that nobody starts again: it is never ended.
    """

    cpu_s: float
    memory_bytes: int
    kill_after_s: float = 0.0


def for_picture(budget: Budget | None, pixels: int, file_bytes: int) -> Budget | None:
    """Return what a picture of ``pixels`` in a file of ``file_bytes`` may cost: never more than ``budget``.

    A small picture that takes as much memory as the largest one allowed is no picture.
    """
    if budget is None:
        return None
    needed = BASE_MEMORY + BYTES_PER_PIXEL * pixels + COPIES * file_bytes
    return replace(budget, memory_bytes=min(budget.memory_bytes, needed))


@contextmanager
def within(budget: Budget | None) -> Iterator[None]:
    """Run a block under ``budget``; without one, or outside the main thread, run it as it is.

    Only a main thread can be interrupted. It is where workers and the command line open photos.

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
            limits.enter_context(_last_second(budget.cpu_s + GRACE_S))
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
        # More than once: parsers in Python catch what is raised in them, and go on.
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
        # In this order: somebody else's alarm must not meet the handler that kills.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


@contextmanager
def _last_second(seconds: float) -> Iterator[None]:
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
    """Return the seconds of processor time that RLIMIT_CPU is held against.

    Linux holds it against ticks counted in user and kernel mode, which on a busy or virtual machine run away
    from the exact time of ``time.process_time``: by seconds, after some hundred.
    """
    try:
        return max(time.clock_gettime(_TICKS), time.process_time())
    except OSError:
        return time.process_time()


@contextmanager
def _memory(limit: int) -> Iterator[None]:
    # RLIMIT_DATA, not RLIMIT_AS: what a thread's heap reserves and never touches does not count.
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # What `obscura.worker.malloc_tuning` keeps of earlier photos comes on top: counting it takes too long.
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
    """Return the memory that counts for RLIMIT_DATA, or 0 where nothing tells."""
    try:
        return int(_STATM.read_bytes().split()[_DATA]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
