"""Create, list and remove challenges and participations."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from obscura.contract.verification import (
    ID_LIMIT,
    AddChallenge,
    AddParticipation,
    AdminAsk,
    AssignOwner,
    ChallengeRecord,
    ListChallenges,
    ListParticipations,
    Outcome,
    ParticipationRecord,
    RemoveChallenge,
    RemoveParticipation,
    VerificationAnswer,
)
from obscura.storage import Storage
from photo_verification_service.database.engine import Database
from photo_verification_service.database.entries import mark_for_deletion
from photo_verification_service.database.models import (
    AuthStandardImg,
    Challenge,
    Feed,
    Participation,
    PhotoFacts,
)
from photo_verification_service.database.owners import assign_owner
from photo_verification_service.window import Window

__all__ = ["Administration"]

_UNKNOWN = VerificationAnswer(outcome=Outcome.UNKNOWN)
_CONFLICT = VerificationAnswer(outcome=Outcome.CONFLICT)


def _challenge_record(row: Challenge) -> ChallengeRecord:
    return ChallengeRecord(
        challenge_id=row.challenge_id,
        start_date=row.start_date,
        end_date=row.end_date,
        start_time=row.start_time,
        end_time=row.end_time,
    )


class Administration:
    """The operations of administrators. Raises DatabaseUnavailableError if the database is away."""

    def __init__(self, database: Database, zone: ZoneInfo, storage: Storage) -> None:
        self._database = database
        self._zone = zone
        self._storage = storage

    async def do(self, ask: AdminAsk) -> VerificationAnswer:
        """Run the operation of a request in one transaction."""
        async with self._database.transaction() as session:
            return await self._do(session, ask)

    async def _do(self, session: AsyncSession, ask: AdminAsk) -> VerificationAnswer:
        answer: VerificationAnswer
        match ask:
            case AddChallenge():
                answer = await self._add_challenge(session, ask)
            case ListChallenges():
                answer = await self._list_challenges(session, ask)
            case RemoveChallenge():
                answer = await self._remove_challenge(session, ask)
            case AddParticipation():
                answer = await self._add_participation(session, ask)
            case ListParticipations():
                answer = await self._list_participations(session, ask)
            case RemoveParticipation():
                answer = await self._remove_participation(session, ask.participation_id)
            case AssignOwner():
                answer = await assign_owner(session, ask)
        return answer

    async def _add_challenge(self, session: AsyncSession, ask: AddChallenge) -> VerificationAnswer:
        row = Challenge(
            start_date=ask.start_date,
            end_date=ask.end_date,
            start_time=ask.start_time,
            end_time=ask.end_time,
        )
        session.add(row)
        await session.flush()
        return VerificationAnswer(outcome=Outcome.DONE, challenges=(_challenge_record(row),))

    async def _list_challenges(self, session: AsyncSession, ask: ListChallenges) -> VerificationAnswer:
        wanted = select(Challenge).order_by(Challenge.challenge_id)
        if ask.challenge_id is not None:
            wanted = wanted.where(Challenge.challenge_id == ask.challenge_id)
        found = tuple(_challenge_record(row) for row in await session.scalars(wanted))
        if ask.challenge_id is not None and not found:
            return _UNKNOWN
        return VerificationAnswer(outcome=Outcome.DONE, challenges=found)

    async def _remove_challenge(self, session: AsyncSession, ask: RemoveChallenge) -> VerificationAnswer:
        row = await session.get(Challenge, ask.challenge_id)
        if row is None:
            return _UNKNOWN
        members = select(func.count()).where(Participation.challenge_id == ask.challenge_id)
        if await session.scalar(members):
            return _CONFLICT
        await session.delete(row)
        return VerificationAnswer(outcome=Outcome.DONE)

    async def _add_participation(self, session: AsyncSession, ask: AddParticipation) -> VerificationAnswer:
        if await session.get(Challenge, ask.challenge_id) is None:
            return _UNKNOWN
        if ask.participation_id is None:
            number = await _free_number(session)
        elif await session.get(Participation, ask.participation_id) is not None:
            return _CONFLICT
        else:
            number = ask.participation_id
        row = Participation(participation_id=number, challenge_id=ask.challenge_id)
        session.add(row)
        await session.flush()
        return VerificationAnswer(
            outcome=Outcome.DONE, participations=(await self._participation_record(session, row),)
        )

    async def _list_participations(
        self, session: AsyncSession, ask: ListParticipations
    ) -> VerificationAnswer:
        wanted = select(Participation).order_by(Participation.participation_id)
        if ask.participation_id is not None:
            wanted = wanted.where(Participation.participation_id == ask.participation_id)
        if ask.challenge_id is not None:
            wanted = wanted.where(Participation.challenge_id == ask.challenge_id)
        rows = list(await session.scalars(wanted))
        if not rows and await self._names_unknown_id(session, ask):
            return _UNKNOWN
        records = [await self._participation_record(session, row) for row in rows]
        return VerificationAnswer(outcome=Outcome.DONE, participations=tuple(records))

    async def _names_unknown_id(self, session: AsyncSession, ask: ListParticipations) -> bool:
        """Whether an empty list means that the requested id does not exist."""
        if ask.participation_id is not None:
            return True
        return ask.challenge_id is not None and await session.get(Challenge, ask.challenge_id) is None

    async def _participation_record(self, session: AsyncSession, row: Participation) -> ParticipationRecord:
        number = row.participation_id
        challenge = await session.get_one(Challenge, row.challenge_id)
        window = Window(challenge.start_date, challenge.end_date, challenge.start_time, challenge.end_time)
        # The oldest one, if several owners have standard photos.
        standard = (
            select(AuthStandardImg.standard_img)
            .where(AuthStandardImg.participation_id == number)
            .order_by(AuthStandardImg.auth_standard_img_id)
        )
        url = (await session.scalars(standard)).first()
        feeds = select(func.count()).where(Feed.participation_id == number)
        return ParticipationRecord(
            participation_id=number,
            challenge_id=row.challenge_id,
            standard_img=None if url is None else self._shown(url),
            feeds=await session.scalar(feeds) or 0,
            open_now=window.is_open(datetime.now(self._zone)),
        )

    def _shown(self, url: str) -> str | None:
        """Return the URL of a photo for HTTP answers; None for a file outside the storage."""
        key = self._storage.key_of(url)
        if key is not None:
            return self._storage.shown_url(key)
        return None if url.startswith("file:") else url

    async def _remove_participation(self, session: AsyncSession, number: int) -> VerificationAnswer:
        standards = AuthStandardImg.participation_id == number
        feeds = Feed.participation_id == number
        urls = [
            *await session.scalars(select(AuthStandardImg.standard_img).where(standards)),
            *await session.scalars(select(Feed.feed_img).where(feeds)),
        ]
        row = await session.get(Participation, number)
        if row is None and not urls:
            return _UNKNOWN
        for url in urls:
            key = self._storage.key_of(url)
            if key is not None:
                await mark_for_deletion(session, key)
        await session.execute(delete(PhotoFacts).where(PhotoFacts.participation_id == number))
        await session.execute(delete(AuthStandardImg).where(standards))
        await session.execute(delete(Feed).where(feeds))
        if row is not None:
            await session.delete(row)
        return VerificationAnswer(outcome=Outcome.DONE)


async def _free_number(session: AsyncSession) -> int:
    """Return the number after the highest one, or the first gap if the highest is `ID_LIMIT`."""
    numbers = Participation.participation_id
    highest = await session.scalar(select(func.max(numbers)))
    if (highest or 0) < ID_LIMIT:
        return (highest or 0) + 1
    other = aliased(Participation)
    follower = select(other.participation_id).where(other.participation_id == numbers + 1).exists()
    gap = await session.scalar(select(func.min(numbers + 1)).where(numbers < ID_LIMIT, ~follower))
    return gap or 1
