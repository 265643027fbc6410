"""Move all photos of one owner to another: when an API key is replaced, or for photos older than keys."""

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from obscura.contract.verification import AssignOwner, Outcome, VerificationAnswer
from photo_verification_service.database.models import AuthStandardImg, NamedStandardImg, PhotoFacts

__all__ = ["assign_owner"]


async def assign_owner(session: AsyncSession, ask: AssignOwner) -> VerificationAnswer:
    """Move the photos of ``old_owner`` to ``new_owner``; the answer contains their number.

    If both have a photo of the same participation or name, nothing moves and the outcome is a conflict.
    """
    if await session.scalar(select(_share_a_name(ask) | _share_a_participation(ask))):
        return VerificationAnswer(outcome=Outcome.CONFLICT)
    names = update(NamedStandardImg).where(NamedStandardImg.owner == ask.old_owner)
    await session.execute(names.values(owner=ask.new_owner))
    photos = update(PhotoFacts).where(PhotoFacts.owner == ask.old_owner).values(owner=ask.new_owner)
    moved = (await session.scalars(photos.returning(PhotoFacts.url))).all()
    return VerificationAnswer(outcome=Outcome.DONE, moved=len(moved))


def _share_a_name(ask: AssignOwner) -> ColumnElement[bool]:
    old, new = aliased(NamedStandardImg), aliased(NamedStandardImg)
    both = select(old.name).join(new, new.name == old.name)
    return both.where(old.owner == ask.old_owner, new.owner == ask.new_owner).exists()


def _share_a_participation(ask: AssignOwner) -> ColumnElement[bool]:
    wanted = (
        select(AuthStandardImg.participation_id)
        .outerjoin(PhotoFacts, PhotoFacts.url == AuthStandardImg.standard_img)
        .where(func.coalesce(PhotoFacts.owner, "").in_([ask.old_owner, ask.new_owner]))
        .group_by(AuthStandardImg.participation_id)
        .having(func.count() > 1)
    )
    return wanted.exists()
