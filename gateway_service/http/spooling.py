"""Handle a full spool folder of incoming uploads."""

from collections.abc import Iterator
from contextlib import contextmanager

from obscura.errors import StorageUnavailableError

__all__ = ["no_room", "spooled"]


def no_room() -> StorageUnavailableError:
    """Return the error of an upload that could not be spooled."""
    return StorageUnavailableError("uploads cannot be taken in: their folder is full or unavailable")


@contextmanager
def spooled() -> Iterator[None]:
    """Translate OSError into StorageUnavailableError while an upload is spooled."""
    try:
        yield
    except OSError as error:
        raise no_room() from error
