"""Routes to administer challenges and participations of photo verification.

The verification service owns the database; the gateway sends requests to it through the queue.
"""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway_service.answers import Problem
from gateway_service.compat.verification.ask import WorkerRequest, ask_workers
from gateway_service.http.dependencies import CurrentGateway, Gateway, RequestId
from obscura.contract.verification import (
    AddChallenge,
    AddParticipation,
    AdminAsk,
    AssignOwner,
    ChallengeRecord,
    ListChallenges,
    ListParticipations,
    NewChallenge,
    Outcome,
    Owner,
    ParticipationRecord,
    RemoveChallenge,
    RemoveParticipation,
    RowId,
    VerificationAnswer,
)
from obscura.errors import (
    ConflictError,
    DatabaseUnavailableError,
    ProcessingFailedError,
    UnknownRecordError,
)

router = APIRouter(
    prefix="/admin",
    tags=["administration"],
    responses={status: {"model": Problem} for status in (404, 409, 422, 503)},
)
Number = Annotated[RowId, Path()]


def _refuse_boolean(value: object) -> object:
    """Refuse booleans, which pydantic would accept as 1 and 0."""
    if isinstance(value, bool):
        message = "must be a whole number"
        raise ValueError(message)  # noqa: TRY004 - pydantic translates ValueError
    return value


class NewParticipation(BaseModel):
    """A new participation: an id chosen by the app, or none for the next free one."""

    model_config = ConfigDict(extra="forbid")

    participation_id: Annotated[RowId, BeforeValidator(_refuse_boolean)] | None = Field(
        None, description="the app's own id; unset: the next free one"
    )


class OwnerChange(BaseModel):
    """A change of owner: ids of API keys, empty for photos sent without a key."""

    model_config = ConfigDict(extra="forbid")

    old_owner: Owner = Field(description="id of the key whose photos they are; empty: of no key")
    new_owner: Owner = Field(description="id of the key that gets them")


class OwnerChanged(BaseModel):
    """Number of photos that have a new owner."""

    photos: int = Field(description="how many")


async def _ask(gateway: Gateway, ask: AdminAsk, request_id: str) -> VerificationAnswer:
    answer = (await ask_workers(gateway, WorkerRequest(ask), request_id)).answer
    match answer.outcome:
        case Outcome.DONE:
            return answer
        case Outcome.UNKNOWN:
            message = "there is no such challenge or participation"
            raise UnknownRecordError(message)
        case Outcome.CONFLICT:
            message = "the id or a name is taken, or somebody takes part in the challenge"
            raise ConflictError(message)
        case Outcome.NOT_STORED:
            message = "the database is unavailable"
            raise DatabaseUnavailableError(message)
        case _:
            message = "the request could not be processed"
            raise ProcessingFailedError(message)


@router.post("/challenges", status_code=201)
async def add_challenge(
    gateway: CurrentGateway, request_id: RequestId, challenge: NewChallenge
) -> ChallengeRecord:
    """Create a challenge with inclusive days and daily hours; hours may span midnight."""
    ask = AddChallenge(**challenge.model_dump())
    return (await _ask(gateway, ask, request_id)).challenges[0]


@router.get("/challenges")
async def list_challenges(gateway: CurrentGateway, request_id: RequestId) -> list[ChallengeRecord]:
    """List all challenges."""
    return list((await _ask(gateway, ListChallenges(), request_id)).challenges)


@router.get("/challenges/{challenge_id}")
async def get_challenge(
    gateway: CurrentGateway, request_id: RequestId, challenge_id: Number
) -> ChallengeRecord:
    """Return one challenge."""
    return (await _ask(gateway, ListChallenges(challenge_id=challenge_id), request_id)).challenges[0]


@router.delete("/challenges/{challenge_id}", status_code=204)
async def remove_challenge(gateway: CurrentGateway, request_id: RequestId, challenge_id: Number) -> None:
    """Remove a challenge that nobody takes part in."""
    await _ask(gateway, RemoveChallenge(challenge_id=challenge_id), request_id)


@router.post("/challenges/{challenge_id}/participations", status_code=201)
async def add_participation(
    gateway: CurrentGateway, request_id: RequestId, challenge_id: Number, body: NewParticipation
) -> ParticipationRecord:
    """Add a participation to a challenge."""
    ask = AddParticipation(challenge_id=challenge_id, participation_id=body.participation_id)
    return (await _ask(gateway, ask, request_id)).participations[0]


@router.get("/challenges/{challenge_id}/participations")
async def list_participations(
    gateway: CurrentGateway, request_id: RequestId, challenge_id: Number
) -> list[ParticipationRecord]:
    """List the participations of a challenge."""
    answer = await _ask(gateway, ListParticipations(challenge_id=challenge_id), request_id)
    return list(answer.participations)


@router.get("/participations/{participation_id}")
async def get_participation(
    gateway: CurrentGateway, request_id: RequestId, participation_id: Number
) -> ParticipationRecord:
    """Return one participation, and whether it accepts photos now."""
    ask = ListParticipations(participation_id=participation_id)
    return (await _ask(gateway, ask, request_id)).participations[0]


@router.delete("/participations/{participation_id}", status_code=204)
async def remove_participation(
    gateway: CurrentGateway, request_id: RequestId, participation_id: Number
) -> None:
    """Erase a participation with its standard photo, its feed and all pictures of both."""
    await _ask(gateway, RemoveParticipation(participation_id=participation_id), request_id)


@router.post("/owners")
async def assign_owner(gateway: CurrentGateway, request_id: RequestId, change: OwnerChange) -> OwnerChanged:
    """Give all verification photos of one key to another; 409 where both use one participation or name."""
    ask = AssignOwner(old_owner=change.old_owner, new_owner=change.new_owner)
    return OwnerChanged(photos=(await _ask(gateway, ask, request_id)).moved)
