"""Whether a folder is on a local file system."""

import re
from pathlib import Path
from typing import Final

__all__ = ["is_near", "kind_of"]

NEAR: Final = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
)
"""File systems that ask no other machine and no other process. What is not named here may."""
_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def is_near(folder: Path) -> bool:
    """Whether what is written to ``folder`` stays on this machine; False where that cannot be told."""
    try:
        mounts = _MOUNTS.read_text()
    except (OSError, ValueError):
        return False
    return kind_of(folder.resolve(), mounts) in NEAR


def kind_of(folder: Path, mounts: str) -> str:
    """Return the kind of the file system that holds an absolute path, empty where there is none.

    ``mounts`` are those of Linux, proc_pid_mountinfo(5): the fifth field is the place, with blanks as octal
    numbers; the first one behind the dash is the kind. What is mounted later lies on top.
    """
    depth, kind = 0, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        place = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), left.split(" ")[4]))
        if folder.is_relative_to(place) and len(place.parts) >= depth:
            depth, kind = len(place.parts), right.partition(" ")[0]
    return kind
