"""Parse a request body into API version, call and photo, without decoding a picture."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import ValidationError

from gateway_service.compat.verification.texts import Call
from obscura.contract.verification import (
    CheckStandard,
    CompareWith,
    MatchTag,
    Outcome,
    PhotoAsk,
    PostClassification,
    PostFeature,
    RegisterStandard,
)

__all__ = ["UNPARSABLE", "ParsedBody", "parse_body", "photo_of"]

Body: TypeAlias = Mapping[str, Any]
VERSION_1_ONLY = frozenset({"/auth/test", "/auth/tag"})
CALLS = {
    "/auth/stdimg": Call.STANDARD,
    "/auth/feature": Call.FEATURE,
    "/auth/tag": Call.TAG,
    "/auth/classification": Call.CLASSIFICATION,
}
_PREFIX = re.compile(r"\s*data:[^,]{0,200},")
_SPACE = re.compile(r"\s+")
_DIGITS = re.compile(r"\s*[0-9]{1,19}\s*", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")
_TRUE = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True)
class ParsedBody:
    """The content of a request body; where ``ask`` is None the answer is ``refusal``."""

    version: int
    call: Call
    ask: PhotoAsk | None = None
    refusal: Outcome = Outcome.BAD_INPUT
    photo: bytes = b""
    flags: Mapping[str, bool] = field(default_factory=dict)

    @property
    def foreign_url(self) -> str | None:
        """The URL of a standard photo that the caller named."""
        return self.ask.url if isinstance(self.ask, CompareWith) else None


UNPARSABLE = ParsedBody(2, Call.STANDARD)


def photo_of(value: object, max_bytes: int) -> bytes:
    """Return the bytes of a base64 text; empty where it is not valid or too long.

    ``data:`` prefixes, white space, the URL-safe alphabet and absent padding are accepted.
    """
    if not isinstance(value, str):
        return b""
    text = _SPACE.sub("", _PREFIX.sub("", value, count=1)).rstrip("=").translate(_URL_SAFE)
    if not text or len(text) * 3 // 4 > max_bytes:
        return b""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def parse_body(path: str, raw: bytes, max_photo_bytes: int) -> ParsedBody:
    """Parse the body ``raw`` of a request to ``path``."""
    call = CALLS.get(path, Call.FEATURE)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return ParsedBody(2, call)
    if not isinstance(body, dict):
        return ParsedBody(2, call)
    if "data" in body and call is not Call.CLASSIFICATION:
        return _parse_version_1(path, body, max_photo_bytes)
    if path in VERSION_1_ONLY:
        return ParsedBody(2, call)
    try:
        return _parse_version_2(call, body, max_photo_bytes)
    except ValidationError:
        return ParsedBody(2, call)


def _flags(body: Body) -> dict[str, bool]:
    return {name: str(body.get(name, "")).strip().lower() in _TRUE for name in ("debug", "strict")}


def _text(value: object) -> str | None:
    """Return ``value`` where it is a text that can be stored, None otherwise."""
    if not isinstance(value, str) or "\x00" in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        # An unpaired surrogate: valid in JSON, but not in UTF-8 and databases.
        return None
    return value


def _name(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = _text(value)
    return text.strip() or None if text is not None else None


def _parse_version_1(path: str, body: Body, max_photo_bytes: int) -> ParsedBody:
    is_bare = not {"name", "url"} & body.keys()
    call = Call.STANDARD if path == "/auth/test" and is_bare else CALLS.get(path, Call.FEATURE)
    try:
        ask, refusal = _version_1_ask(call, body)
    except ValidationError:
        # Longer than any stored name.
        ask, refusal = None, _UNUSABLE[call]
    return ParsedBody(1, call, ask, refusal, photo_of(body["data"], max_photo_bytes), _flags(body))


_UNUSABLE = {
    Call.STANDARD: Outcome.FAILED,
    Call.FEATURE: Outcome.NO_STANDARD,
    Call.TAG: Outcome.BAD_INPUT,
}


def _version_1_ask(call: Call, body: Body) -> tuple[PhotoAsk | None, Outcome]:
    """Return the request of a version 1 body, or None and the outcome of an unusable body."""
    name, url, tag = (_name(body.get(field)) for field in ("name", "url", "tag"))
    ask: PhotoAsk | None = None
    if call is Call.STANDARD and (name is not None or body.get("name") in (None, "")):
        ask = CheckStandard(name=name)
    elif call is Call.FEATURE and (name or url):
        ask = CompareWith(name=name, url=None if name else url)
    elif call is Call.TAG and tag is not None:
        ask = MatchTag(tag=tag)
    return ask, _UNUSABLE[call]


def _row_id(value: object) -> int | None:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _parse_version_2(call: Call, body: Body, max_photo_bytes: int) -> ParsedBody:
    number = _row_id(body.get("participation_id"))
    if number is None:
        return ParsedBody(2, call)
    ask: PhotoAsk
    if call is Call.STANDARD:
        photo = photo_of(body.get("std_img"), max_photo_bytes)
        return ParsedBody(2, call, RegisterStandard(participation_id=number), photo=photo, flags=_flags(body))
    content, photo = _text(body.get("feed_content")), photo_of(body.get("feed_img"), max_photo_bytes)
    if content is None or not photo:
        return ParsedBody(2, call)
    if call is Call.FEATURE:
        ask = PostFeature(participation_id=number, content=content)
        return ParsedBody(2, call, ask, photo=photo, flags=_flags(body))
    keyword = _name(body.get("classification_keyword"))
    if keyword is None:
        return ParsedBody(2, call)
    ask = PostClassification(participation_id=number, content=content, keyword=keyword)
    return ParsedBody(2, call, ask, photo=photo, flags=_flags(body))
