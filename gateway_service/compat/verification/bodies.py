"""Parse a request body into dialect, call and photo, without opening a picture."""

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

__all__ = ["NOT_UNDERSTOOD", "Understood", "photo_of", "understand"]

Body: TypeAlias = Mapping[str, Any]
DIALECT_ONE_ONLY = frozenset({"/auth/test", "/auth/tag"})
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
class Understood:
    """What a body asks for; without ``ask`` the answer is known already, and is ``refusal``."""

    dialect: int
    call: Call
    ask: PhotoAsk | None = None
    refusal: Outcome = Outcome.BAD_INPUT
    photo: bytes = b""
    flags: Mapping[str, bool] = field(default_factory=dict)

    @property
    def foreign_url(self) -> str | None:
        """The URL of a standard photo that the caller named."""
        return self.ask.url if isinstance(self.ask, CompareWith) else None


NOT_UNDERSTOOD = Understood(2, Call.STANDARD)


def photo_of(value: object, max_bytes: int) -> bytes:
    """Return the bytes that a base64 text stands for; none where it is no such text or too long.

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


def understand(path: str, raw: bytes, max_photo_bytes: int) -> Understood:
    """Return what the body ``raw`` of a request to ``path`` asks for."""
    call = CALLS.get(path, Call.FEATURE)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return Understood(2, call)
    if not isinstance(body, dict):
        return Understood(2, call)
    if "data" in body and call is not Call.CLASSIFICATION:
        return _dialect_one(path, body, max_photo_bytes)
    if path in DIALECT_ONE_ONLY:
        return Understood(2, call)
    try:
        return _dialect_two(call, body, max_photo_bytes)
    except ValidationError:
        return Understood(2, call)


def _flags(body: Body) -> dict[str, bool]:
    return {name: str(body.get(name, "")).strip().lower() in _TRUE for name in ("debug", "strict")}


def _text(value: object) -> str | None:
    """Return a text that can be stored; None for anything else."""
    if not isinstance(value, str) or "\x00" in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: JSON can say it, UTF-8 and databases cannot.
        return None
    return value


def _name(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = _text(value)
    return text.strip() or None if text is not None else None


def _dialect_one(path: str, body: Body, max_photo_bytes: int) -> Understood:
    is_bare = not {"name", "url"} & body.keys()
    call = Call.STANDARD if path == "/auth/test" and is_bare else CALLS.get(path, Call.FEATURE)
    try:
        ask, refusal = _ask_of_one(call, body)
    except ValidationError:
        # Longer than anything that was ever stored.
        ask, refusal = None, _UNUSABLE[call]
    return Understood(1, call, ask, refusal, photo_of(body["data"], max_photo_bytes), _flags(body))


_UNUSABLE = {
    Call.STANDARD: Outcome.FAILED,
    Call.FEATURE: Outcome.NO_STANDARD,
    Call.TAG: Outcome.BAD_INPUT,
}


def _ask_of_one(call: Call, body: Body) -> tuple[PhotoAsk | None, Outcome]:
    """Return what dialect 1 asks for, or None and the answer to a body that cannot be used."""
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


def _dialect_two(call: Call, body: Body, max_photo_bytes: int) -> Understood:
    number = _row_id(body.get("participation_id"))
    if number is None:
        return Understood(2, call)
    ask: PhotoAsk
    if call is Call.STANDARD:
        photo = photo_of(body.get("std_img"), max_photo_bytes)
        return Understood(2, call, RegisterStandard(participation_id=number), photo=photo, flags=_flags(body))
    content, photo = _text(body.get("feed_content")), photo_of(body.get("feed_img"), max_photo_bytes)
    if content is None or not photo:
        return Understood(2, call)
    if call is Call.FEATURE:
        ask = PostFeature(participation_id=number, content=content)
        return Understood(2, call, ask, photo=photo, flags=_flags(body))
    keyword = _name(body.get("classification_keyword"))
    if keyword is None:
        return Understood(2, call)
    ask = PostClassification(participation_id=number, content=content, keyword=keyword)
    return Understood(2, call, ask, photo=photo, flags=_flags(body))
