"""CPU time and memory of a process tree, from ``/proc``."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_UTIME: Final = 11
"""Place of the first of four times in ``/proc/PID/stat`` behind the name, which may hold anything."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far (with those of children that have ended), and memory in MiB now and at its peak."""

    cpu_s: float
    memory_mb: float
    peak_mb: float


def tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def usage(pids: Iterable[int]) -> Usage:
    """Return what processes have used together; those that are gone count nothing."""
    ticks, memory, peak = 0, 0.0, 0.0
    for pid in pids:
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            status = (_PROC / str(pid) / "status").read_text()
        except OSError:
            continue
        ticks += sum(int(value) for value in fields[_UTIME : _UTIME + 4])
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name == "VmRSS":
                memory += int(value.split()[0]) / 1024
            elif name == "VmHWM":
                peak += int(value.split()[0]) / 1024
    return Usage(ticks * TICK_S, memory, peak)


def roles(root: int) -> dict[str, list[int]]:
    """Return the processes of a system by role, told by their command lines."""
    found: dict[str, list[int]] = {}
    for pid in tree(root):
        try:
            line = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        role = next((role for role, mark in _MARKS.items() if mark in line), "supervisor")
        found.setdefault(role, []).append(pid)
    return found


_MARKS: Final[Mapping[str, str]] = {
    "valkey": "valkey",
    "gateway": "gateway",
    "worker": "worker",
}
