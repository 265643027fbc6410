"""Database rows about a stored photo and its possible outcomes."""

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
    """A stored photo and what is known of it; ``owner`` is the id of the API key that sent it, or empty."""

    key: str
    url: str
    size: int
    fingerprint: str
    features: bytes | None = None
    owner: str = ""


@dataclass(frozen=True)
class StandardEntry:
    """The photo becomes the standard of a participation."""

    participation_id: int


@dataclass(frozen=True)
class NamedEntry:
    """The photo becomes the standard of a name."""

    name: str


@dataclass(frozen=True)
class FeedEntry:
    """The photo enters the feed."""

    participation_id: int
    created: datetime
    content: str


Entry: TypeAlias = StandardEntry | NamedEntry | FeedEntry


async def mark_for_deletion(session: AsyncSession, key: str) -> None:
    """Note that ``key`` is to be erased; it happens after the transaction, or at the next sweep."""
    await session.merge(PendingObject(key=key, expires=0.0, doomed=True))


def standards_of(owner: str, participation_id: int) -> Select[AuthStandardImg]:
    """Return the query for the rows of an owner's standard photo of a participation."""
    whose = func.coalesce(PhotoFacts.owner, "")
    return (
        select(AuthStandardImg)
        .outerjoin(PhotoFacts, PhotoFacts.url == AuthStandardImg.standard_img)
        .where(AuthStandardImg.participation_id == participation_id, whose == owner)
        .order_by(AuthStandardImg.auth_standard_img_id)
    )


async def write(session: AsyncSession, kept: StoredPhoto, entry: Entry) -> str | None:
    """Write the rows of a photo; return the URL of the photo that it takes the place of."""
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
        # Nothing else keeps two first registrations apart: the table is not unique by owner.
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
