"""Handle a full spool folder of incoming uploads."""

from collections.abc import Iterator
from contextlib import contextmanager

from obscura.errors import StorageUnavailableError

__all__ = ["no_room", "spooled"]


def no_room() -> StorageUnavailableError:
    """Return what is said of an upload that could not be written down."""
    return StorageUnavailableError("uploads cannot be taken in: their folder is full or away")


@contextmanager
def spooled() -> Iterator[None]:
    """Raise StorageUnavailableError where an upload cannot be written down while it arrives."""
    try:
        yield
    except OSError as error:
        raise no_room() from error
