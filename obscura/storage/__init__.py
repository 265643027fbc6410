"""Object storage by key (put, get, delete, size) over obstore."""

import re
import secrets
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from obscura.errors import LookupFailedError, StorageUnavailableError
from obscura.settings import Settings, StorageChoice
from obscura.storage.files import file_of, write
from obscura.storage.places import Place, bucket_place, folder_place, memory_place

if TYPE_CHECKING:
    from obstore import Attributes

__all__ = ["MissingObjectError", "Storage"]


PROBE = ".check"
# Names of files that obstore has not finished, and of probes that a killed `Storage.check` left.
UNFINISHED = re.compile(rf"#\d+$|^{re.escape(PROBE)}")
# Chunk size of large objects: S3 accepts parts from 5 MiB on, and at most 10,000 parts.
PART_BYTES = 8 * 1024 * 1024
_NO_BUCKET = "<Code>NoSuchBucket</Code>"


class MissingObjectError(LookupFailedError):
    """There is no object with this key."""

    code = "missing_object"


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Translate exceptions of obstore and the file system into those of this package."""
    try:
        yield
    except FileNotFoundError as error:
        if _NO_BUCKET in str(error):
            message = "photo storage has no such bucket"
            raise StorageUnavailableError(message) from error
        message = f"no object {key!r}"
        raise MissingObjectError(message) from error
    except (BaseError, OSError) as error:
        message = "photo storage is unavailable"
        raise StorageUnavailableError(message) from error


class Storage:
    """Objects by key, in a folder, an S3 bucket or memory; writes are atomic.

    Create it after a fork, since obstore runs threads. Every method raises `StorageUnavailableError` if the
    storage is down, full, too slow or refuses the credentials.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = place.store

    @classmethod
    def open(cls, settings: Settings) -> "Storage":
        """Return the storage of the settings.

        Raises
        ------
        StorageUnavailableError
            If the folder cannot be created, or the settings of the bucket are invalid.
        """
        match settings.storage:
            case StorageChoice.FOLDER:
                return cls(folder_place(settings.storage_dir, settings.storage_public_url))
            case StorageChoice.S3:
                return cls(bucket_place(settings))

    @classmethod
    def in_folder(cls, folder: Path) -> "Storage":
        """Return a storage in ``folder``; if it is absent, create it with access for its owner only.

        Raises
        ------
        StorageUnavailableError
            If the folder cannot be created.
        """
        return cls(folder_place(folder))

    @classmethod
    def in_memory(cls) -> "Storage":
        """Return a storage in memory, which lives as long as the object."""
        return cls(memory_place())

    @property
    def is_folder(self) -> bool:
        """Whether objects are files in a folder."""
        return self._place.folder is not None

    def put(self, key: str, data: bytes | IO[bytes], content_type: str | None = None) -> None:
        """Store ``data`` as the object ``key`` and replace an existing one; folders keep no content type."""
        file = self._file(key)
        if file is not None and isinstance(data, bytes):
            with _translated(key):
                write(file, data)
            return
        attributes: Attributes | None = None
        if content_type is not None and not isinstance(self._store, LocalStore):
            attributes = {"Content-Type": content_type}
        with _translated(key):
            # One plain put is a write to a temporary name and a rename; streams would be cut into parts.
            obstore.put(self._store, key, data, attributes=attributes, use_multipart=False)

    def put_file(self, key: str, file: IO[bytes]) -> None:
        """Store the rest of ``file`` as the object ``key``, in chunks of `PART_BYTES`."""
        with _translated(key):
            obstore.put(self._store, key, file, use_multipart=True, chunk_size=PART_BYTES)

    def get(self, key: str) -> bytes:
        """Return the bytes of the object ``key``.

        Raises
        ------
        MissingObjectError
            If there is none.
        """
        file = self._file(key)
        with _translated(key):
            return file.read_bytes() if file else bytes(obstore.get(self._store, key).bytes())

    def chunks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes ``start`` to ``stop`` of the object ``key`` in chunks of at most `PART_BYTES`.

        Raises
        ------
        MissingObjectError
            If there is no such object, also if it is erased meanwhile.
        """
        end = self.size(key) if stop is None else stop
        for place in range(start, end, PART_BYTES):
            with _translated(key):
                part = obstore.get_range(self._store, key, start=place, end=min(place + PART_BYTES, end))
                piece = bytes(part)
            yield piece

    def delete(self, key: str) -> bool:
        """Erase the object ``key``; return whether it existed."""
        file = self._file(key)
        try:
            if file is None:
                # S3 does not report whether a deleted object existed.
                self.size(key)
            with _translated(key):
                file.unlink() if file else obstore.delete(self._store, key)
        except MissingObjectError:
            return False
        return True

    def size(self, key: str) -> int:
        """Return the size of the object ``key`` in bytes.

        Raises
        ------
        MissingObjectError
            If there is none.
        """
        file = self._file(key)
        with _translated(key):
            return file.stat().st_size if file else int(obstore.head(self._store, key)["size"])

    def url(self, key: str) -> str:
        """Return the permanent URL of ``key``, which a database may store.

        It begins with `storage_public_url` if that is set, else it is the bucket's URL or a ``file:`` URL.
        Reading it may need permission of the bucket's policy; `link` returns a URL that does not.
        """
        return self._place.url(key)

    def shown_url(self, key: str) -> str:
        """Return the URL of ``key`` for HTTP answers: as `url`, but never with a path of this machine."""
        return self._place.shown_url(key)

    def key_of(self, url: str) -> str | None:
        """Return the key with this `url` or `shown_url`, None for any other URL."""
        return self._place.key_of(url)

    def link(self, key: str) -> str:
        """Return a URL that can be read now: signed, with a limited lifetime, if the bucket is not public."""
        if self._place.link_life is None or not isinstance(self._store, S3Store):
            return self.url(key)
        with _translated(key):
            return obstore.sign(self._store, "GET", key, self._place.link_life)

    def keys(self, folders: Collection[str], older_than_s: float = 0.0) -> list[str]:
        """Return the keys in ``folders`` that were last written at least ``older_than_s`` seconds ago."""
        last = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with _translated(""):
            return [
                item["path"]
                for folder in folders
                for batch in obstore.list(self._store, prefix=folder)
                for item in batch
                if item["last_modified"] <= last
            ]

    def delete_unfinished_writes(self, older_than_s: float) -> int:
        """Erase files of unfinished writes older than ``older_than_s`` seconds; return their number."""
        if self._place.folder is None:
            return 0
        last = time.time() - older_than_s
        deleted = 0
        try:
            for path in self._place.folder.rglob("*"):
                if UNFINISHED.search(path.name) and path.is_file() and path.stat().st_mtime <= last:
                    path.unlink(missing_ok=True)
                    deleted += 1
        except OSError as error:
            message = "photo storage is unavailable"
            raise StorageUnavailableError(message) from error
        return deleted

    def local_path(self, key: str) -> Path | None:
        """Return the file of the object ``key``, None if the storage is not a folder.

        Raises
        ------
        MissingObjectError
            If there is no such object.
        """
        self.size(key)
        return None if self._place.folder is None else self._place.folder / key

    def _file(self, key: str) -> Path | None:
        """Return the file of ``key`` if it can be read and written without obstore, else None."""
        return None if self._place.folder is None else file_of(self._place.folder, key)

    def check(self) -> None:
        """Raise StorageUnavailableError unless an object can be written and erased now."""
        if self._place.folder is None:
            probe = f"{PROBE}-{secrets.token_hex(8)}"
            self.put(probe, b"x")
            self.delete(probe)
            return
        try:
            with tempfile.NamedTemporaryFile(dir=self._place.folder, prefix=PROBE) as file:
                file.write(b"x")
        except OSError as error:
            message = f"nothing can be written to the photo storage ({error.strerror})"
            raise StorageUnavailableError(message) from error
