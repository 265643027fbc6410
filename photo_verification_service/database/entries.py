"""Database rows about a stored photo and its possible outcomes."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from photo_verification_service.database.models import (
    AuthStandardImg,
    Feed,
    NamedStandardImg,
    PendingObject,
    PhotoFacts,
)

__all__ = ["Entry", "FeedEntry", "Kept", "NamedEntry", "StandardEntry", "doom", "write"]


@dataclass(frozen=True)
class Kept:
    """A stored photo and what is known of it."""

    key: str
    url: str
    size: int
    fingerprint: str
    features: bytes | None = None


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


async def doom(session: AsyncSession, key: str) -> None:
    """Note that ``key`` is to be erased; it happens after the transaction, or at the next sweep."""
    await session.merge(PendingObject(key=key, expires=0.0, doomed=True))


async def write(session: AsyncSession, kept: Kept, entry: Entry) -> str | None:
    """Write the rows of a photo; return the URL of the photo that it takes the place of."""
    old_url: str | None = None
    match entry:
        case StandardEntry(participation_id):
            old_url = await _replace_standard(session, participation_id, kept.url)
            participation: int | None = participation_id
        case NamedEntry(name):
            old_url = await _replace_named(session, name, kept.url)
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
            participation_id=participation,
            size=kept.size,
            fingerprint=kept.fingerprint,
            features=kept.features,
        )
    )
    return old_url


async def _replace_standard(session: AsyncSession, participation_id: int, url: str) -> str | None:
    wanted = select(AuthStandardImg).where(AuthStandardImg.participation_id == participation_id)
    row = (await session.scalars(wanted.with_for_update())).first()
    if row is None:
        session.add(AuthStandardImg(participation_id=participation_id, standard_img=url))
        return None
    old_url, row.standard_img = row.standard_img, url
    return old_url


async def _replace_named(session: AsyncSession, name: str, url: str) -> str | None:
    row = await session.get(NamedStandardImg, name, with_for_update=True)
    if row is None:
        session.add(NamedStandardImg(name=name, standard_img=url))
        return None
    old_url, row.standard_img = row.standard_img, url
    return old_url
