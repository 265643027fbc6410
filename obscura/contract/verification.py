"""Photo verification requests and answers, independent of API version, HTTP and database.

A request is stored as one object, the *envelope*: a JSON head followed by the photos. The job record holds
its key only; the envelope is erased with the job like any original.
"""

import json
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

ID_LIMIT = 2**63 - 1
RowId: TypeAlias = Annotated[int, Field(ge=0, le=ID_LIMIT)]
WALL_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?$"


def _as_text(value: object) -> object:
    """Refuse numbers, which pydantic would read as seconds since an epoch."""
    if isinstance(value, int | float):
        message = "must be a string in ISO 8601 format"
        raise ValueError(message)  # noqa: TRY004 - what pydantic turns into an answer
    return value


Day: TypeAlias = Annotated[date, BeforeValidator(_as_text)]
# The format "time" of JSON Schema requires a zone, which a wall-clock time does not have.
WallTime: TypeAlias = Annotated[
    time, BeforeValidator(_as_text), WithJsonSchema({"type": "string", "pattern": WALL_TIME})
]
Text: TypeAlias = Annotated[str, Field(max_length=20_000)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Owner: TypeAlias = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9]*$")]
_HEAD_BYTES = 4


class Outcome(StrEnum):
    """Result of a request; each compatibility API maps it to its own status and text."""

    DONE = "done"
    BAD_INPUT = "bad_input"
    UNREADABLE_PHOTO = "unreadable_photo"
    TOO_FEW_FEATURES = "too_few_features"
    NO_STANDARD = "no_standard"
    UNREADABLE_STANDARD = "unreadable_standard"
    OUTSIDE_WINDOW = "outside_window"
    MISMATCH = "mismatch"
    TAGGER_FAILED = "tagger_failed"
    NOT_STORED = "not_stored"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    FAILED = "failed"


class _Ask(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckStandard(_Ask):
    """Check whether the photo has enough detail for a standard photo; store it if there is a name."""

    ask: Literal["check_standard"] = "check_standard"
    name: Name | None = None


class CompareWith(_Ask):
    """Compare the photo with a standard photo: by name, by the URL of a stored one, or sent along."""

    ask: Literal["compare_with"] = "compare_with"
    name: Name | None = None
    url: Text | None = None


class MatchTag(_Ask):
    """Check whether ``tag`` is among the photo's tags."""

    ask: Literal["match_tag"] = "match_tag"
    tag: Text


class RegisterStandard(_Ask):
    """Store the photo as the standard photo of a participation."""

    ask: Literal["register_standard"] = "register_standard"
    participation_id: RowId


class PostFeature(_Ask):
    """Add the photo to the feed if it matches the standard photo and the challenge is open."""

    ask: Literal["post_feature"] = "post_feature"
    participation_id: RowId
    content: Text


class PostClassification(_Ask):
    """Add the photo to the feed if the keyword is among its tags and the challenge is open."""

    ask: Literal["post_classification"] = "post_classification"
    participation_id: RowId
    content: Text
    keyword: Text


class NewChallenge(_Ask):
    """Days and daily hours in which a challenge is open: wall-clock time, both ends inclusive.

    ``start_time`` after ``end_time`` means that the hours run over midnight.
    """

    start_date: Day
    end_date: Day
    start_time: WallTime = time(0, 0, 0)
    end_time: WallTime = time(23, 59, 59)

    @model_validator(mode="after")
    def _is_open_at_times(self) -> Self:
        if self.end_date < self.start_date:
            message = "end_date is before start_date"
            raise ValueError(message)
        if self.start_time == self.end_time:
            message = "start_time and end_time are the same: the whole day is 00:00:00 to 23:59:59"
            raise ValueError(message)
        if self.start_time.tzinfo or self.end_time.tzinfo:
            message = "times are wall-clock times of OBSCURA_TIME_ZONE and name no zone"
            raise ValueError(message)
        return self


class AddChallenge(NewChallenge):
    """Create a challenge."""

    ask: Literal["add_challenge"] = "add_challenge"


class ListChallenges(_Ask):
    """List all challenges, or one by its id."""

    ask: Literal["list_challenges"] = "list_challenges"
    challenge_id: RowId | None = None


class RemoveChallenge(_Ask):
    """Remove a challenge without participations."""

    ask: Literal["remove_challenge"] = "remove_challenge"
    challenge_id: RowId


class AddParticipation(_Ask):
    """Create a participation in a challenge, with the given id or the next free one."""

    ask: Literal["add_participation"] = "add_participation"
    challenge_id: RowId
    participation_id: RowId | None = None


class ListParticipations(_Ask):
    """List all participations, those of one challenge, or one by its id."""

    ask: Literal["list_participations"] = "list_participations"
    challenge_id: RowId | None = None
    participation_id: RowId | None = None


class RemoveParticipation(_Ask):
    """Erase a participation with its standard photo, feed and stored pictures."""

    ask: Literal["remove_participation"] = "remove_participation"
    participation_id: RowId


class AssignOwner(_Ask):
    """Move all photos of one owner to another; an owner is the id of an API key, empty for none."""

    ask: Literal["assign_owner"] = "assign_owner"
    old_owner: Owner
    new_owner: Owner


AdminAsk: TypeAlias = (
    AddChallenge
    | ListChallenges
    | RemoveChallenge
    | AddParticipation
    | ListParticipations
    | RemoveParticipation
    | AssignOwner
)
PhotoAsk: TypeAlias = (
    CheckStandard | CompareWith | MatchTag | RegisterStandard | PostFeature | PostClassification
)
Ask: TypeAlias = PhotoAsk | AdminAsk


class VerificationRequest(BaseModel):
    """The head of an envelope.

    After ``deadline`` (seconds since 1970) the client has given up, so nothing is written. Without
    ``may_read`` (the API key may not read) a request with ``debug`` finds no standard photo, since its answer
    would show one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: int = Field(1, ge=1, le=1, description="version of this message")
    ask: Annotated[Ask, Field(discriminator="ask")]
    deadline: float
    debug: bool = False
    strict: bool = False
    may_read: bool = True


class ChallengeRecord(BaseModel):
    """A challenge in the answers of the administration API."""

    challenge_id: int
    start_date: Day
    end_date: Day
    start_time: WallTime
    end_time: WallTime


class ParticipationRecord(BaseModel):
    """A participation in the answers of the administration API."""

    participation_id: int
    challenge_id: int
    standard_img: str | None
    feeds: int
    open_now: bool


class MatchDetails(BaseModel):
    """Details of a comparison for ``debug``; ``quad`` is the standard photo's outline, 4 points in pixels."""

    inliers: int
    method: str
    replay: bool = False
    quad: tuple[tuple[float, float], ...] | None = None


class VerificationAnswer(BaseModel):
    """The answer that a worker writes into the job record as its report."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    url: str | None = None
    keypoints: int | None = None
    match: MatchDetails | None = None
    moved: int = 0
    challenges: tuple[ChallengeRecord, ...] = ()
    participations: tuple[ParticipationRecord, ...] = ()


@dataclass(frozen=True)
class Envelope:
    """A request with its photos: the one to check, and a standard photo that the gateway fetched or got."""

    request: VerificationRequest
    photo: bytes = b""
    standard: bytes = b""

    def pack(self) -> bytes:
        """Return the envelope as bytes."""
        head = {"request": self.request.model_dump(mode="json"), "photo": len(self.photo)}
        text = json.dumps(head).encode()
        return len(text).to_bytes(_HEAD_BYTES, "big") + text + self.photo + self.standard

    @classmethod
    def unpack(cls, data: bytes) -> "Envelope":
        """Return the envelope in bytes that `pack` returned; raise ValueError for anything else."""
        start = _HEAD_BYTES + int.from_bytes(data[:_HEAD_BYTES], "big")
        head = json.loads(data[_HEAD_BYTES:start])
        middle = start + int(head["photo"])
        request = VerificationRequest.model_validate(head["request"])
        return cls(request, data[start:middle], data[middle:])
