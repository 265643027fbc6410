"""The database rows of a stored photo: as a standard photo, a named one, or in the feed."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from photo_verification_service.database.models import (
    AuthStandardImg,
    Feed,
    NamedStandardImg,
    PendingObject,
    PhotoFacts,
)

__all__ = [
    "Entry",
    "FeedEntry",
    "NamedEntry",
    "StandardEntry",
    "StoredPhoto",
    "mark_for_deletion",
    "standards_of",
    "write",
]


@dataclass(frozen=True)
class StoredPhoto:
    """A stored photo: storage key, URL, bytes, fingerprint, features, and owner (id of an API key)."""

    key: str
    url: str
    size: int
    fingerprint: str
    features: bytes | None = None
    owner: str = ""


@dataclass(frozen=True)
class StandardEntry:
    """The photo becomes the standard photo of a participation."""

    participation_id: int


@dataclass(frozen=True)
class NamedEntry:
    """The photo becomes the standard photo of a name."""

    name: str


@dataclass(frozen=True)
class FeedEntry:
    """The photo is added to the feed."""

    participation_id: int
    created: datetime
    content: str


Entry: TypeAlias = StandardEntry | NamedEntry | FeedEntry


async def mark_for_deletion(session: AsyncSession, key: str) -> None:
    """Mark the object ``key`` for deletion, after the transaction or by the orphan collector."""
    await session.merge(PendingObject(key=key, expires=0.0, doomed=True))


def standards_of(owner: str, participation_id: int) -> Select[AuthStandardImg]:
    """Return the query for an owner's standard photo of a participation."""
    owner_of_photo = func.coalesce(PhotoFacts.owner, "")
    return (
        select(AuthStandardImg)
        .outerjoin(PhotoFacts, PhotoFacts.url == AuthStandardImg.standard_img)
        .where(AuthStandardImg.participation_id == participation_id, owner_of_photo == owner)
        .order_by(AuthStandardImg.auth_standard_img_id)
    )


async def write(session: AsyncSession, kept: StoredPhoto, entry: Entry) -> str | None:
    """Write the rows of a photo; return the URL of the photo that it replaces, or None."""
    old_url: str | None = None
    match entry:
        case StandardEntry(participation_id):
            old_url = await _replace_standard(session, participation_id, kept)
            participation: int | None = participation_id
        case NamedEntry(name):
            old_url = await _replace_named(session, name, kept)
            participation = None
        case FeedEntry(participation_id, created, content):
            participation = participation_id
            session.add(
                Feed(
                    feed_type="auth",
                    participation_id=participation_id,
                    created_datetime=created,
                    feed_img=kept.url,
                    feed_content=content,
                )
            )
        case _:
            assert_never(entry)
    if old_url is not None:
        await session.execute(delete(PhotoFacts).where(PhotoFacts.url == old_url))
    session.add(
        PhotoFacts(
            url=kept.url,
            owner=kept.owner,
            participation_id=participation,
            size=kept.size,
            fingerprint=kept.fingerprint,
            features=kept.features,
        )
    )
    return old_url


async def _replace_standard(session: AsyncSession, participation_id: int, kept: StoredPhoto) -> str | None:
    if session.get_bind().dialect.name == "postgresql":
        # The table has no unique constraint by owner: the lock prevents two concurrent first registrations.
        name = f"{participation_id} {kept.owner}"
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    wanted = standards_of(kept.owner, participation_id).with_for_update(of=AuthStandardImg)
    row = (await session.scalars(wanted)).first()
    if row is None:
        session.add(AuthStandardImg(participation_id=participation_id, standard_img=kept.url))
        return None
    old_url, row.standard_img = row.standard_img, kept.url
    return old_url


async def _replace_named(session: AsyncSession, name: str, kept: StoredPhoto) -> str | None:
    row = await session.get(NamedStandardImg, (kept.owner, name), with_for_update=True)
    if row is None:
        session.add(NamedStandardImg(owner=kept.owner, name=name, standard_img=kept.url))
        return None
    old_url, row.standard_img = row.standard_img, kept.url
    return old_url
