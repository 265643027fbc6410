"""The answers of both versions of the verification API, byte for byte as in the legacy systems.

Version 1 (legacy system 002) answers HTTP 200 with ``{"status","message","result"}``. Version 2 (legacy
system 003) answers with a real HTTP status and
``{"message","errcode","status","data":{"message","errcode"}}``, without errcode on success. The Korean texts
are copied unchanged, with the misspelled "사직" and both spacings of "완료".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from obscura.contract.verification import Outcome, VerificationAnswer

__all__ = ["Call", "Extras", "version_1_response", "version_2_response"]


class Call(StrEnum):
    """The kind of a request, independent of its path."""

    STANDARD = "standard"
    FEATURE = "feature"
    TAG = "tag"
    CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Extras:
    """Optional fields of an answer beside those of the legacy API."""

    url: str | None = None
    debug: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, answer: VerificationAnswer, picture: str | None) -> "Extras":
        """Return the optional fields of ``answer``; ``picture`` is the match picture in base64."""
        if answer.match is None:
            return cls(answer.url)
        details = answer.match.model_dump(mode="json")
        return cls(answer.url, details if picture is None else details | {"picture": picture})

    def fields(self) -> dict[str, Any]:
        """Return the fields to add."""
        shown = {"url": self.url, "debug": self.debug}
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True)
class _Version1Answer:
    status: int
    message: str
    result: bool = False


@dataclass(frozen=True)
class _Version2Answer:
    status: int
    message: str
    errcode: int | None = None


_VERSION_1_UNEXPECTED = _Version1Answer(500, "Something Wrong")
_VERSION_1_ANSWERS: Mapping[Call, Mapping[Outcome, _Version1Answer]] = {
    Call.STANDARD: {
        Outcome.UNREADABLE_PHOTO: _Version1Answer(400, "Take Picture Again"),
        Outcome.TOO_FEW_FEATURES: _Version1Answer(400, "Too Little Features"),
        Outcome.DONE: _Version1Answer(200, "Good Picture", result=True),
    },
    Call.FEATURE: {
        Outcome.NO_STANDARD: _Version1Answer(400, "You don't have std img"),
        Outcome.UNREADABLE_PHOTO: _Version1Answer(400, "Missing Picture"),
        Outcome.UNREADABLE_STANDARD: _Version1Answer(500, "Missing Std Picture"),
        Outcome.MISMATCH: _Version1Answer(200, "You took wrong picture"),
        Outcome.DONE: _Version1Answer(200, "Complete", result=True),
    },
    Call.TAG: {
        Outcome.BAD_INPUT: _Version1Answer(400, "No Tag"),
        # The legacy system's answer to a photo that cannot be opened.
        Outcome.UNREADABLE_PHOTO: _Version1Answer(500, "Clarifai Api Fault"),
        Outcome.TAGGER_FAILED: _Version1Answer(500, "Clarifai Api Fault"),
        Outcome.DONE: _Version1Answer(200, "Matched", result=True),
        Outcome.MISMATCH: _Version1Answer(200, "Not Matched"),
    },
}

_BAD_INPUT = _Version2Answer(400, "입력이 바르지 않습니다.", 1)
_NOT_UPLOADED = "사진이 업로드 되지 않습니다."
_WRONG_TIME = "인증 시간이 아닙니다."
_NO_STANDARD = _Version2Answer(400, "기준 사진이 존재하지 않습니다.", 2)
_VERSION_2_ANSWERS: Mapping[Call, Mapping[Outcome, _Version2Answer]] = {
    Call.STANDARD: {
        Outcome.BAD_INPUT: _BAD_INPUT,
        Outcome.UNREADABLE_PHOTO: _Version2Answer(400, "사진이 첨부되지 않았습니다.", 2),
        Outcome.TOO_FEW_FEATURES: _Version2Answer(400, "특징점이 확실한 사직을 찍어주세요.", 3),
        Outcome.NOT_STORED: _Version2Answer(500, _NOT_UPLOADED, 4),
        Outcome.DONE: _Version2Answer(200, "완료 되었습니다."),
    },
    Call.FEATURE: {
        Outcome.BAD_INPUT: _BAD_INPUT,
        Outcome.UNREADABLE_PHOTO: _BAD_INPUT,
        Outcome.NO_STANDARD: _NO_STANDARD,
        Outcome.UNREADABLE_STANDARD: _NO_STANDARD,
        Outcome.OUTSIDE_WINDOW: _Version2Answer(400, _WRONG_TIME, 3),
        Outcome.MISMATCH: _Version2Answer(400, "사진이 일치하지 않습니다.", 4),
        Outcome.NOT_STORED: _Version2Answer(500, _NOT_UPLOADED, 5),
        Outcome.DONE: _Version2Answer(200, "완료되었습니다."),
    },
    Call.CLASSIFICATION: {
        Outcome.BAD_INPUT: _BAD_INPUT,
        Outcome.UNREADABLE_PHOTO: _BAD_INPUT,
        Outcome.TAGGER_FAILED: _Version2Answer(500, "Clarifai 서버 문제, 혹은 그에 관한 문제", 2),
        Outcome.MISMATCH: _Version2Answer(
            400, "해당 단어에 알맞지 않은 사진이거나, 사진을 다시 찍어주세요.", 3
        ),
        Outcome.OUTSIDE_WINDOW: _Version2Answer(400, _WRONG_TIME, 4),
        Outcome.NOT_STORED: _Version2Answer(500, "S3 오류", 5),
        Outcome.DONE: _Version2Answer(200, "완료"),
    },
    # Version 2 has no tags.
    Call.TAG: {Outcome.BAD_INPUT: _BAD_INPUT},
}
_VERSION_2_UNEXPECTED = "뭔가 잘못 되었고, 문의바랍니다."


def version_1_response(call: Call, outcome: Outcome, extras: Extras) -> JSONResponse:
    """Return the answer of version 1: always HTTP 200, with the status in the body."""
    row = _VERSION_1_ANSWERS[call].get(outcome, _VERSION_1_UNEXPECTED)
    content = {"status": row.status, "message": row.message, "result": row.result}
    return JSONResponse(content | extras.fields())


def version_2_response(call: Call, outcome: Outcome, extras: Extras) -> JSONResponse:
    """Return the answer of version 2, with a real HTTP status."""
    row = _VERSION_2_ANSWERS[call].get(outcome)
    if row is None:
        return JSONResponse({"message": _VERSION_2_UNEXPECTED}, HTTPStatus.INTERNAL_SERVER_ERROR)
    body: dict[str, Any] = {"message": row.message}
    if row.errcode is not None:
        body["errcode"] = row.errcode
    content = body | {"status": row.status, "data": dict(body)}
    return JSONResponse(content | extras.fields(), row.status)
