"""Store photos together with their database rows: neither exists without the other.

The order is: announce in the database, upload, write the row (which takes the announcement away). Whatever
dies in between leaves an announcement behind, and the sweep erases its object: an object without a row does
not stay, and a row without an object is never written.
"""

import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from obscura.errors import ServiceError
from obscura.storage import Storage
from photo_verification_service.database import Entry, LostError, Records, StoredPhoto, UncertainError

__all__ = ["PhotoRepository"]

MEDIA_TYPE = "image/jpeg"
log = structlog.get_logger(__name__)


class PhotoRepository:
    """Keeps photos; ``grace_s`` is longer than any process can take between announcement and row."""

    def __init__(self, storage: Storage, records: Records, grace_s: float) -> None:
        self._storage = storage
        self._records = records
        self._grace_s = grace_s

    async def store(self, kept: StoredPhoto, data: bytes, entry: Entry) -> None:
        """Store ``data`` and enter its row; a photo that has its row already is left as it is.

        Raises
        ------
        ServiceError
            If storage or database failed. Then there is no row, and no object either; where the object
            could not be erased, or nobody can tell yet, the sweep sees to it.
        """
        if not await self._records.announce(kept.key, kept.url, time.time() + self._grace_s):
            return
        try:
            self._storage.put(kept.key, data, MEDIA_TYPE)
            old_key = await self._records.enter(kept, entry, self._storage.key_of)
        except UncertainError:
            # The announcement is gone exactly if the row is there.
            if await self._records.give_up(kept.key):
                await self.erase(kept.key)
                raise
            return
        except LostError:
            # Its object is the sweep's business now.
            raise
        except BaseException:
            await self._undo(kept.key)
            raise
        if old_key is not None:
            await self.erase(old_key)

    async def _undo(self, key: str) -> None:
        """Erase the object of a photo whose row was certainly not written."""
        with suppress(ServiceError):
            self._storage.delete(key)
            await self._records.forget(key)

    async def erase(self, key: str) -> None:
        """Erase an object that is marked as to be erased; where that fails now, the sweep tries again."""
        try:
            self._storage.delete(key)
            await self._records.forget(key)
        except ServiceError as error:
            log.warning("object_not_erased", code=error.code)

    async def collect_orphans(self, now: Callable[[], float] = time.time) -> int:
        """Erase the objects that no row speaks of; return how many there were."""
        keys = await self._records.overdue(now())
        for key in keys:
            await self.erase(key)
        return len(keys)
