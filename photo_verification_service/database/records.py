"""Queries and updates of photos and challenges, each in one transaction."""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from obscura.errors import ServiceError
from photo_verification_service.database.engine import ClashError, Database
from photo_verification_service.database.entries import (
    Entry,
    StoredPhoto,
    mark_for_deletion,
    standards_of,
    write,
)
from photo_verification_service.database.models import (
    Challenge,
    NamedStandardImg,
    Participation,
    PendingObject,
    PhotoFacts,
)
from photo_verification_service.window import Window

__all__ = ["LostError", "Records", "UncertainError"]

TRIES = 4


class LostError(ServiceError):
    """The orphan collector claimed the object before its row was written."""

    code = "object_given_up"


class UncertainError(ServiceError):
    """The connection was lost during a commit: the transaction may or may not have happened."""

    code = "uncertain_outcome"


async def _delete_pending(session: AsyncSession, key: str) -> None:
    """Delete the pending object ``key``; raise LostError if the orphan collector claimed it."""
    mine = PendingObject.key == key, PendingObject.doomed.is_(False)
    taken = await session.scalars(delete(PendingObject).where(*mine).returning(PendingObject.key))
    if taken.first() is None:
        message = "the photo was given up meanwhile"
        raise LostError(message)


class Records:
    """The rows of photos. Every method raises DatabaseUnavailableError if the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standard_of(self, participation_id: int, owner: str = "") -> str | None:
        """Return the URL of an owner's standard photo of a participation, None if there is none."""
        async with self._database.transaction() as session:
            row = (await session.scalars(standards_of(owner, participation_id))).first()
            return None if row is None else row.standard_img

    async def named_standard(self, name: str, owner: str = "") -> str | None:
        """Return the URL of the standard photo that an owner stored under ``name``, None if there is none."""
        mine = NamedStandardImg.name == name, NamedStandardImg.owner == owner
        async with self._database.transaction() as session:
            return (await session.scalars(select(NamedStandardImg.standard_img).where(*mine))).first()

    async def owner_of(self, url: str) -> str:
        """Return the owner of a photo, empty without one."""
        wanted = select(PhotoFacts.owner).where(PhotoFacts.url == url)
        async with self._database.transaction() as session:
            return (await session.scalars(wanted)).first() or ""

    async def window_of(self, participation_id: int) -> Window | None:
        """Return the time window of a participation's challenge; None for an unknown participation."""
        columns = (Challenge.start_date, Challenge.end_date, Challenge.start_time, Challenge.end_time)
        wanted = (
            select(*columns)
            .join(Participation, Participation.challenge_id == Challenge.challenge_id)
            .where(Participation.participation_id == participation_id)
        )
        async with self._database.transaction() as session:
            row = (await session.execute(wanted)).first()
        return None if row is None else Window(*row)

    async def facts_of(self, url: str) -> PhotoFacts | None:
        """Return the facts of a stored photo, None if there are none."""
        async with self._database.transaction() as session:
            row = await session.get(PhotoFacts, url)
            session.expunge_all()
            return row

    async def save_features(self, url: str, size: int, features: bytes) -> None:
        """Save the size and features of a stored photo."""
        change = update(PhotoFacts).where(PhotoFacts.url == url).values(size=size, features=features)
        async with self._database.transaction() as session:
            await session.execute(change)

    async def fingerprints(self, participation_id: int, owner: str = "") -> tuple[str, ...]:
        """Return the fingerprints of all photos of an owner's participation."""
        mine = PhotoFacts.participation_id == participation_id, PhotoFacts.owner == owner
        async with self._database.transaction() as session:
            return tuple(await session.scalars(select(PhotoFacts.fingerprint).where(*mine)))

    async def announce(self, key: str, url: str, expires: float) -> bool:
        """Insert a pending object before its upload; return False if the photo has its row already.

        Raises
        ------
        LostError
            If the orphan collector claimed the object.
        """
        async with self._database.transaction() as session:
            if await session.get(PhotoFacts, url) is not None:
                return False
            earlier = await session.get(PendingObject, key, with_for_update=True)
            if earlier is None:
                session.add(PendingObject(key=key, expires=expires, doomed=False))
            elif earlier.doomed:
                message = "the photo was given up meanwhile"
                raise LostError(message)
            else:
                earlier.expires = expires
        return True

    async def enter(self, kept: StoredPhoto, entry: Entry, key_of: Callable[[str], str | None]) -> str | None:
        """Write the row of an uploaded photo; return the key of the photo that it replaces.

        Raises
        ------
        LostError
            If the orphan collector claimed the object.
        DatabaseUnavailableError
            If the row was not written.
        UncertainError
            If it is not known whether the row was written.
        """
        for _ in range(TRIES - 1):
            with suppress(ClashError):
                return await self._enter(kept, entry, key_of)
        return await self._enter(kept, entry, key_of)

    async def _enter(
        self, kept: StoredPhoto, entry: Entry, key_of: Callable[[str], str | None]
    ) -> str | None:
        is_ending = False
        try:
            async with self._database.transaction() as session:
                await _delete_pending(session, kept.key)
                old_url = await write(session, kept, entry)
                old_key = None if old_url is None else key_of(old_url)
                if old_key is not None:
                    await mark_for_deletion(session, old_key)
                await session.flush()
                is_ending = True
        except BaseException as error:
            # A time limit may also interrupt the commit.
            if is_ending:
                message = "it is not known whether the row was written"
                raise UncertainError(message) from error
            raise
        return old_key

    async def give_up(self, key: str) -> bool:
        """Mark a pending object for deletion; return False if its row was written after all."""
        change = (
            update(PendingObject)
            .where(PendingObject.key == key, PendingObject.doomed.is_(False))
            .values(doomed=True, expires=0.0)
            .returning(PendingObject.key)
        )
        async with self._database.transaction() as session:
            return (await session.scalars(change)).first() is not None

    async def overdue(self, now: float) -> tuple[str, ...]:
        """Return the pending objects that have expired, and prevent that their rows are still written."""
        late = PendingObject.expires < now
        async with self._database.transaction() as session:
            await session.execute(update(PendingObject).where(late).values(doomed=True))
            return tuple(await session.scalars(select(PendingObject.key).where(late)))

    async def forget(self, key: str) -> None:
        """Delete the pending object of an object that was erased."""
        async with self._database.transaction() as session:
            await session.execute(delete(PendingObject).where(PendingObject.key == key))
