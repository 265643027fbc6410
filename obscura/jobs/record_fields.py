"""The fields of a job record: their parsers, checks before writing, compression and size limits.

One table holds the parser of every structured field. Records are read with it, and fields that workers want
to write are parsed first, so that nothing is written that could not be read again.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from obscura.contract import (
    DetectedObject,
    DetectionResult,
    JobKind,
    JobOptions,
    LesionResult,
    VideoProgress,
)
from obscura.errors import RecordUnreadableError

__all__ = [
    "DETECTIONS",
    "FAULTS",
    "MAX_RECORD_BYTES",
    "RESIDUAL",
    "bounded",
    "checked",
    "length_of",
    "packed",
    "read_field",
    "read_report",
    "unpacked",
]

MAX_RECORD_BYTES: Final = 256 * 1024
"""Largest size of a record: bytes of all names and values as stored."""

MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
"""Largest size of one decompressed value."""

PACK_BYTES: Final = 2048
"""Shorter values are not compressed."""

PACKED: Final = "z:"
"""Prefix of a compressed value. Only JSON is compressed, and no JSON text begins like this."""

FAULTS: Final = (KeyError, TypeError, ValueError, RecursionError, RecordUnreadableError)
"""Exceptions that parsing a damaged value raises (those of pydantic and json are ValueErrors)."""

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}")


def packed(text: str) -> str:
    """Return ``text`` as it is stored: compressed (zlib, base64) from `PACK_BYTES` on."""
    if len(text) < PACK_BYTES:
        return text
    return PACKED + base64.b64encode(zlib.compress(text.encode(), level=6)).decode()


def unpacked(text: str) -> str:
    """Return the text that `packed` stored; raise RecordUnreadableError if it is damaged or too long."""
    if not text.startswith(PACKED):
        return text
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(base64.b64decode(text[len(PACKED) :], validate=True), MAX_TEXT_BYTES)
        if not inflate.eof:
            message = f"a compressed value is truncated or exceeds {MAX_TEXT_BYTES} bytes"
            raise RecordUnreadableError(message)
        return data.decode()
    except (zlib.error, binascii.Error, UnicodeDecodeError) as error:
        message = "a compressed value is damaged"
        raise RecordUnreadableError(message) from error


def _objects(text: str) -> tuple[DetectedObject, ...]:
    return tuple(DetectedObject.model_validate(item) for item in json.loads(text))


def _report(text: str) -> dict[str, Any]:
    report = json.loads(text)
    if not isinstance(report, dict):
        message = "a report is not a JSON object"
        raise TypeError(message)
    return report


def _media_type(text: str) -> str:
    if _MEDIA_TYPE.fullmatch(text) is None:
        message = "not a media type"
        raise ValueError(message)
    return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "options": JobOptions.model_validate_json,
        "report": _report,
        "video": VideoProgress.model_validate_json,
        "media_type": _media_type,
    }
)
"""Parsers of the structured fields; fields without a parser are plain text."""

DETECTIONS: Final = "p:"
RESIDUAL: Final = "r:"
_READERS_BY_PREFIX: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {DETECTIONS: DetectionResult.model_validate_json, RESIDUAL: _objects}
)
"""Parsers of the fields that a job has for each class, by the beginning of their names."""


def _reader_of(name: str) -> Callable[[str], Any] | None:
    return _READERS.get(name) or _READERS_BY_PREFIX.get(name[:2])


def _is_packable(name: str) -> bool:
    return name not in {"media_type", "video"} and _reader_of(name) is not None


def read_field(name: str, text: str) -> Any:  # noqa: ANN401 - what the table says
    """Return the parsed value of a field; raise one of `FAULTS` if it is damaged."""
    read = _reader_of(name)
    return text if read is None else read(unpacked(text))


def read_report(kind: JobKind, text: str) -> str:
    """Return a report as JSON text after parsing it as a report of ``kind``; raise one of `FAULTS`."""
    text = unpacked(text)
    report = _report(text)
    match kind:
        case JobKind.LESIONS:
            LesionResult.model_validate(report)
        case JobKind.BLUR_VIDEO:
            int(report["bytes"])
        case _:
            pass
    return text


def checked(fields: Mapping[str, str]) -> dict[str, str]:
    """Return fields ready to be written into a record: each one parsed once, long ones compressed.

    Raises
    ------
    RecordUnreadableError
        If a field cannot be parsed, or they exceed `MAX_RECORD_BYTES`.
    """
    try:
        for name, text in fields.items():
            read_field(name, text)
    except FAULTS as error:
        message = f"a field of this job's record is malformed: {name}"
        raise RecordUnreadableError(message) from error
    return bounded({name: packed(text) if _is_packable(name) else text for name, text in fields.items()})


def bounded(fields: Mapping[str, str]) -> dict[str, str]:
    """Return ``fields``; raise RecordUnreadableError if they exceed `MAX_RECORD_BYTES`."""
    length = length_of(fields)
    if length > MAX_RECORD_BYTES:
        message = f"the record of this job would have {length} bytes; at most {MAX_RECORD_BYTES} are allowed"
        raise RecordUnreadableError(message)
    return dict(fields)


def length_of(fields: Mapping[str, str]) -> int:
    """Return the total length of names and values."""
    return sum(len(name) + len(text) for name, text in fields.items())
