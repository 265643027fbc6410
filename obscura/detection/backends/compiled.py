"""Compiled networks on disk, so that the next process starts without compiling them again.

A file is written under a temporary name and renamed, so processes that start at the same time find a whole
file or none. A folder that cannot be used costs start-up time only.
"""

import os
import stat
import tempfile
import zlib
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

__all__ = ["CompiledNetworks", "default_folder"]

FORMAT: Final = "1"
"""Format version of the files; changing it invalidates them."""

MAX_FILES: Final = 64
"""Files that are kept; the oldest are deleted first."""

CHECKSUM_BYTES: Final = 4


def default_folder() -> Path | None:
    """Return this user's cache folder (XDG base directory specification); None where there is no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named) / "obscura"
    try:
        return Path.home() / ".cache" / "obscura"
    except RuntimeError:
        return None


class CompiledNetworks:
    """The compiled networks of one weights file.

    Attributes
    ----------
    folder
        Their folder. It must belong to this process's user and be writable by nobody else, because an engine
        executes what it loads; otherwise nothing is read or written.
    """

    def __init__(self, folder: Path, weights_sha256: str) -> None:
        self.folder = folder / f"compiled-{FORMAT}"
        self._weights = weights_sha256

    def load(self, key: str) -> bytes | None:
        """Return what was stored under ``key``; None where it is absent or its checksum is wrong."""
        try:
            if not self._is_private():
                return None
            data = self._place(key).read_bytes()
        except OSError:
            return None
        checksum, blob = data[:CHECKSUM_BYTES], data[CHECKSUM_BYTES:]
        return blob if blob and checksum == _checksum(blob) else None

    def store(self, key: str, blob: bytes) -> None:
        """Store a compiled network; do nothing where that is impossible."""
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_private():
                return
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_checksum(blob) + blob)
                Path(name).replace(self._place(key))
            finally:
                Path(name).unlink(missing_ok=True)
            self._prune()

    def _place(self, key: str) -> Path:
        name = blake2b(f"{self._weights}\n{key}".encode(), digest_size=16).hexdigest()
        return self.folder / f"{name}.blob"

    def _is_private(self) -> bool:
        about = self.folder.stat()
        return about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

    def _prune(self) -> None:
        files = sorted(self.folder.glob("*.blob"), key=lambda path: path.stat().st_mtime)
        for file in files[:-MAX_FILES]:
            file.unlink(missing_ok=True)


def _checksum(blob: bytes) -> bytes:
    return zlib.crc32(blob).to_bytes(CHECKSUM_BYTES, "big")
