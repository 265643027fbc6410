"""Every answer text of the two verification dialects, byte for byte.

Dialect 1 (seed 002) answers HTTP 200 with ``{"status","message","result"}``. Dialect 2 (seed 003) answers
with a real HTTP status and ``{"message","errcode","status","data":{"message","errcode"}}``, no errcode on
success. The Korean texts are the seed's own, with its "사직" and both its spacings of "완료".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from obscura.contract.verification import Outcome, VerificationAnswer

__all__ = ["Call", "Extras", "answer_in_one", "answer_in_two"]


class Call(StrEnum):
    """What is asked for, whatever the path."""

    STANDARD = "standard"
    FEATURE = "feature"
    TAG = "tag"
    CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Extras:
    """What an answer carries beside the contract's fields, where it was asked for."""

    url: str | None = None
    debug: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, answer: VerificationAnswer, picture: str | None) -> "Extras":
        """Return what ``answer`` has to show; ``picture`` is the match picture in base64."""
        if answer.match is None:
            return cls(answer.url)
        details = answer.match.model_dump(mode="json")
        return cls(answer.url, details if picture is None else details | {"picture": picture})

    def fields(self) -> dict[str, Any]:
        """Return the fields to add."""
        shown = {"url": self.url, "debug": self.debug}
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True)
class _One:
    status: int
    message: str
    result: bool = False


@dataclass(frozen=True)
class _Two:
    status: int
    message: str
    errcode: int | None = None


_UNFORESEEN_ONE = _One(500, "Something Wrong")
_ONE: Mapping[Call, Mapping[Outcome, _One]] = {
    Call.STANDARD: {
        Outcome.UNREADABLE_PHOTO: _One(400, "Take Picture Again"),
        Outcome.TOO_FEW_FEATURES: _One(400, "Too Little Features"),
        Outcome.DONE: _One(200, "Good Picture", result=True),
    },
    Call.FEATURE: {
        Outcome.NO_STANDARD: _One(400, "You don't have std img"),
        Outcome.UNREADABLE_PHOTO: _One(400, "Missing Picture"),
        Outcome.UNREADABLE_STANDARD: _One(500, "Missing Std Picture"),
        Outcome.MISMATCH: _One(200, "You took wrong picture"),
        Outcome.DONE: _One(200, "Complete", result=True),
    },
    Call.TAG: {
        Outcome.BAD_INPUT: _One(400, "No Tag"),
        # What the seed's tagger said to a photo that it could not open.
        Outcome.UNREADABLE_PHOTO: _One(500, "Clarifai Api Fault"),
        Outcome.TAGGER_FAILED: _One(500, "Clarifai Api Fault"),
        Outcome.DONE: _One(200, "Matched", result=True),
        Outcome.MISMATCH: _One(200, "Not Matched"),
    },
}

_BAD_INPUT = _Two(400, "입력이 바르지 않습니다.", 1)
_NOT_UPLOADED = "사진이 업로드 되지 않습니다."
_WRONG_TIME = "인증 시간이 아닙니다."
_NO_STANDARD = _Two(400, "기준 사진이 존재하지 않습니다.", 2)
_TWO: Mapping[Call, Mapping[Outcome, _Two]] = {
    Call.STANDARD: {
        Outcome.BAD_INPUT: _BAD_INPUT,
        Outcome.UNREADABLE_PHOTO: _Two(400, "사진이 첨부되지 않았습니다.", 2),
        Outcome.TOO_FEW_FEATURES: _Two(400, "특징점이 확실한 사직을 찍어주세요.", 3),
        Outcome.NOT_STORED: _Two(500, _NOT_UPLOADED, 4),
        Outcome.DONE: _Two(200, "완료 되었습니다."),
    },
    Call.FEATURE: {
        Outcome.BAD_INPUT: _BAD_INPUT,
        Outcome.UNREADABLE_PHOTO: _BAD_INPUT,
        Outcome.NO_STANDARD: _NO_STANDARD,
        Outcome.UNREADABLE_STANDARD: _NO_STANDARD,
        Outcome.OUTSIDE_WINDOW: _Two(400, _WRONG_TIME, 3),
        Outcome.MISMATCH: _Two(400, "사진이 일치하지 않습니다.", 4),
        Outcome.NOT_STORED: _Two(500, _NOT_UPLOADED, 5),
        Outcome.DONE: _Two(200, "완료되었습니다."),
    },
    Call.CLASSIFICATION: {
        Outcome.BAD_INPUT: _BAD_INPUT,
        Outcome.UNREADABLE_PHOTO: _BAD_INPUT,
        Outcome.TAGGER_FAILED: _Two(500, "Clarifai 서버 문제, 혹은 그에 관한 문제", 2),
        Outcome.MISMATCH: _Two(400, "해당 단어에 알맞지 않은 사진이거나, 사진을 다시 찍어주세요.", 3),
        Outcome.OUTSIDE_WINDOW: _Two(400, _WRONG_TIME, 4),
        Outcome.NOT_STORED: _Two(500, "S3 오류", 5),
        Outcome.DONE: _Two(200, "완료"),
    },
    # Dialect 2 has no tags: nothing but the refusal is ever said there.
    Call.TAG: {Outcome.BAD_INPUT: _BAD_INPUT},
}
_UNFORESEEN_TWO = "뭔가 잘못 되었고, 문의바랍니다."


def answer_in_one(call: Call, outcome: Outcome, extras: Extras) -> JSONResponse:
    """Return dialect 1's answer: always HTTP 200, the status inside."""
    row = _ONE[call].get(outcome, _UNFORESEEN_ONE)
    content = {"status": row.status, "message": row.message, "result": row.result}
    return JSONResponse(content | extras.fields())


def answer_in_two(call: Call, outcome: Outcome, extras: Extras) -> JSONResponse:
    """Return dialect 2's answer."""
    row = _TWO[call].get(outcome)
    if row is None:
        return JSONResponse({"message": _UNFORESEEN_TWO}, HTTPStatus.INTERNAL_SERVER_ERROR)
    said: dict[str, Any] = {"message": row.message}
    if row.errcode is not None:
        said["errcode"] = row.errcode
    content = said | {"status": row.status, "data": dict(said)}
    return JSONResponse(content | extras.fields(), row.status)
