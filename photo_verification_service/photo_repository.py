"""Store photos together with their database rows: neither exists without the other.

The order is: insert a pending object in the database, upload, write the row (which deletes the pending
object, in one transaction). A process that dies in between leaves a pending object, which the orphan
collector erases with its upload. So no object stays without a row, and no row is written without an object.
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
    """Stores photos with their rows.

    ``grace_s`` is the lifetime of a pending object in seconds; it exceeds the time limit of a step.
    """

    def __init__(self, storage: Storage, records: Records, grace_s: float) -> None:
        self._storage = storage
        self._records = records
        self._grace_s = grace_s

    async def store(self, kept: StoredPhoto, data: bytes, entry: Entry) -> None:
        """Store ``data`` and write its row; do nothing if the photo has its row already.

        Raises
        ------
        ServiceError
            If storage or database failed. Then there is no row, and the object is erased, now or by the
            orphan collector.
        """
        if not await self._records.announce(kept.key, kept.url, time.time() + self._grace_s):
            return
        try:
            self._storage.put(kept.key, data, MEDIA_TYPE)
            old_key = await self._records.enter(kept, entry, self._storage.key_of)
        except UncertainError:
            # The pending object is gone if and only if the row was written.
            if await self._records.give_up(kept.key):
                await self.erase(kept.key)
                raise
            return
        except LostError:
            # The orphan collector erases the object.
            raise
        except BaseException:
            await self._undo(kept.key)
            raise
        if old_key is not None:
            await self.erase(old_key)

    async def _undo(self, key: str) -> None:
        """Erase the object of a photo whose row was not written."""
        with suppress(ServiceError):
            self._storage.delete(key)
            await self._records.forget(key)

    async def erase(self, key: str) -> None:
        """Erase an object that is marked for deletion; if that fails, the orphan collector tries again."""
        try:
            self._storage.delete(key)
            await self._records.forget(key)
        except ServiceError as error:
            log.warning("object_not_erased", code=error.code)

    async def collect_orphans(self, now: Callable[[], float] = time.time) -> int:
        """Erase pending objects that have expired or are marked for deletion; return their number."""
        keys = await self._records.overdue(now())
        for key in keys:
            await self.erase(key)
        return len(keys)
