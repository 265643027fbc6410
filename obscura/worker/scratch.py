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
    """Provide an empty directory in ``place`` (None: the system's) that is removed at the end of the block.

    Directories of processes that were killed are removed first: their lock file is not held any more.

    Raises
    ------
    StorageUnavailableError
        If the directory cannot be created.
    """
    base = Path(tempfile.gettempdir()) if place is None else place
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_abandoned(base)
        # Locked first and renamed to the prefix after: no other process can remove it in between.
        made = Path(tempfile.mkdtemp(dir=base))
        lock = (made / LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = made.rename(made.with_name(PREFIX + made.name))
    except OSError as error:
        message = f"cannot create a scratch directory in {base} ({error.strerror})"
        raise StorageUnavailableError(message) from error
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # In use, or of another user.
        return False
    return True
