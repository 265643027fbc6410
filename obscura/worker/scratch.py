"""Scratch directories that are removed even after a killed process."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from obscura.errors import StorageUnavailableError

__all__ = ["scratch_directory"]

PREFIX: Final = "obscura-work-"
LOCK: Final = ".lock"


@contextmanager
def scratch_directory(place: Path | None) -> Iterator[Path]:
    """Give an empty folder in ``place`` for the length of a block, and sweep up what others left there.

    Raises
    ------
    StorageUnavailableError
        If no folder can be made there.
    """
    base = Path(tempfile.gettempdir()) if place is None else place
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(base)
        # Under a name that nobody sweeps until it is locked: for as long as this process lives.
        made = Path(tempfile.mkdtemp(dir=base))
        lock = (made / LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = made.rename(made.with_name(PREFIX + made.name))
    except OSError as error:
        message = f"cannot use {base} for work on large files ({error.strerror})"
        raise StorageUnavailableError(message) from error
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # In work, or another user's.
        return False
    return True
