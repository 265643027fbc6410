"""Photos by key. Four verbs - put, get, delete, size - over obstore's stores."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore

from obscura.errors import LookupFailedError, StorageUnavailableError

__all__ = ["MissingObjectError", "Storage"]


class MissingObjectError(LookupFailedError):
    """No object of this key."""

    code = "missing_object"


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn the store's exceptions into the project's."""
    try:
        yield
    except FileNotFoundError as error:
        message = f"no object {key!r}"
        raise MissingObjectError(message) from error
    except (BaseError, OSError) as error:
        message = "photo storage is unavailable"
        raise StorageUnavailableError(message) from error


class Storage:
    """Objects by key; a write is seen whole or not at all.

    Build it after a fork: the store beneath runs threads of its own.
    """

    def __init__(self, store: LocalStore | MemoryStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def in_folder(cls, folder: Path) -> "Storage":
        """Return a storage in ``folder``, made with access for its owner only where it is absent.

        Raises
        ------
        StorageUnavailableError
            If the folder cannot be made.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(LocalStore(folder.resolve()), folder)
        except (BaseError, OSError) as error:
            message = f"cannot use {folder} as photo storage"
            raise StorageUnavailableError(message) from error

    @classmethod
    def in_memory(cls) -> "Storage":
        """Return a storage that lives as long as this object."""
        return cls(MemoryStore())

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        """Store ``data`` under ``key``, replacing what is there."""
        with _translated(key):
            # One plain put is a write to a temporary name and a rename; streams would be cut into parts.
            obstore.put(self._store, key, data, use_multipart=False)

    def get(self, key: str) -> bytes:
        """Return the bytes under ``key``.

        Raises
        ------
        MissingObjectError
            If there is none.
        """
        with _translated(key):
            return bytes(obstore.get(self._store, key).bytes())

    def delete(self, key: str) -> bool:
        """Erase ``key``; return whether it was there."""
        try:
            # Not every store says whether there was something to delete.
            self.size(key)
            with _translated(key):
                obstore.delete(self._store, key)
        except MissingObjectError:
            return False
        return True

    def size(self, key: str) -> int:
        """Return the number of bytes under ``key``.

        Raises
        ------
        MissingObjectError
            If there is none.
        """
        with _translated(key):
            return int(obstore.head(self._store, key)["size"])

    def local_path(self, key: str) -> Path | None:
        """Return the file that holds ``key``, or None where objects are not files of this machine.

        Raises
        ------
        MissingObjectError
            If there is no such object.
        """
        self.size(key)
        return None if self._folder is None else self._folder / key

    def check(self) -> None:
        """Raise ``StorageUnavailableError`` unless something can be written and erased now."""
        if self._folder is None:
            return
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".check") as probe:
                probe.write(b"x")
        except OSError as error:
            message = f"nothing can be written to the photo storage ({error.strerror})"
            raise StorageUnavailableError(message) from error
