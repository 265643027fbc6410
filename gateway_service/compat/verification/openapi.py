"""OpenAPI descriptions of both versions of the ``/auth`` API, whose routes parse bodies themselves."""

from collections.abc import Mapping
from typing import Any

__all__ = ["ANSWERS", "BODY"]

ID = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,19}$"}]}
PHOTO = {"type": "string", "minLength": 1, "description": "a photo in base64"}
TEXT = {"type": "string", "maxLength": 20_000}
VERSION_1_BODY = {
    "title": "VerificationRequest1",
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": PHOTO,
        "name": {**TEXT, "description": "the standard photo of this name"},
        "url": {**TEXT, "description": "the standard photo at this address"},
        "tag": {**TEXT, "description": "what /auth/tag looks for"},
        "debug": {"type": "boolean", "default": False},
    },
}
VERSION_2_BODY = {
    "title": "VerificationRequest2",
    "type": "object",
    "required": ["participation_id"],
    "properties": {
        "participation_id": ID,
        "std_img": {**PHOTO, "description": "the standard photo, in base64"},
        "feed_img": {**PHOTO, "description": "the photo for the feed, in base64"},
        "feed_content": TEXT,
        "classification_keyword": {**TEXT, "description": "what /auth/classification looks for"},
        "debug": {"type": "boolean", "default": False},
    },
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": [VERSION_1_BODY, VERSION_2_BODY]}}},
    }
}

_MESSAGE = {"message": {"type": "string"}}
_STATUS = {**_MESSAGE, "status": {"type": "integer"}}
VERSION_1_ANSWER = {
    "title": "VerificationAnswer1",
    "type": "object",
    "required": ["status", "message"],
    "properties": _STATUS,
}
VERSION_2_ANSWER = {
    "title": "VerificationAnswer2",
    "type": "object",
    "required": ["message"],
    "properties": {
        **_STATUS,
        "errcode": {"type": "integer"},
        "data": {
            "title": "VerificationDetail",
            "type": "object",
            "properties": {**_MESSAGE, "errcode": {"type": "integer"}},
        },
    },
}


def _answer(description: str, *shapes: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"anyOf": list(shapes)}}}}


ANSWERS: Mapping[int | str, dict[str, Any]] = {
    200: _answer(
        "version 1: any outcome, said in the body; version 2: done", VERSION_1_ANSWER, VERSION_2_ANSWER
    ),
    400: _answer("version 2: refused, errcode says why", VERSION_2_ANSWER),
    500: _answer("version 2: not stored, or something unforeseen", VERSION_2_ANSWER),
}
