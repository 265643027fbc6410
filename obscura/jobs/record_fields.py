"""The fields of a job's record: how each is read, checked before it is written, and kept short.

One table says what a field has to be. Records are read by it, and what workers want to leave in a record is
checked by it first, so that nothing is written that could not be read again.
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
    Step,
    VideoProgress,
)
from obscura.errors import RecordUnreadableError

__all__ = [
    "FAULTS",
    "MAX_RECORD_BYTES",
    "bounded",
    "checked",
    "length_of",
    "packed",
    "read_field",
    "read_report",
    "unpacked",
]

MAX_RECORD_BYTES: Final = 256 * 1024
"""Most bytes of a record's names and values together, as they are stored."""

MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of one value once it is unpacked."""

PACK_BYTES: Final = 2048
"""A value of fewer bytes is stored as it is: packing gains nothing."""

PACKED: Final = "z:"
"""The mark of a packed value: what is packed is JSON, and no JSON text begins like this."""

FAULTS: Final = (KeyError, TypeError, ValueError, RecursionError, RecordUnreadableError)
"""What reading a damaged value raises; pydantic's and json's own errors are ValueErrors."""

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}")


def packed(text: str) -> str:
    """Return ``text`` as it is stored: deflated and in base64 where it is long."""
    if len(text) < PACK_BYTES:
        return text
    return PACKED + base64.b64encode(zlib.compress(text.encode(), level=6)).decode()


def unpacked(text: str) -> str:
    """Return what `packed` was given; raise RecordUnreadableError where it is damaged or too long."""
    if not text.startswith(PACKED):
        return text
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(base64.b64decode(text[len(PACKED) :], validate=True), MAX_TEXT_BYTES)
        if not inflate.eof:
            message = f"a packed value is cut off, or has more than {MAX_TEXT_BYTES} bytes"
            raise RecordUnreadableError(message)
        return data.decode()
    except (zlib.error, binascii.Error, UnicodeDecodeError) as error:
        message = "a packed value is damaged"
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
        **{f"p:{step}": DetectionResult.model_validate_json for step in Step},
        **dict.fromkeys((f"r:{step}" for step in Step), _objects),
    }
)
"""Every field that is more than a line of text; the others are read as they are."""

_PACKABLE: Final = frozenset(name for name in _READERS if name not in {"media_type", "video"})


def read_field(name: str, text: str) -> Any:  # noqa: ANN401 - what the table says
    """Return what the value of a field stands for; raise one of `FAULTS` where it is damaged."""
    read = _READERS.get(name)
    return text if read is None else read(unpacked(text))


def read_report(kind: JobKind, text: str) -> str:
    """Return the text of a report after reading it as one of a job of ``kind``; raise one of `FAULTS`."""
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
    """Return fields as they may be written into a record: each read once, the long ones packed.

    Raises
    ------
    RecordUnreadableError
        If one could not be read again, or they are longer than a record may be.
    """
    try:
        for name, text in fields.items():
            read_field(name, text)
    except FAULTS as error:
        message = f"what was to be noted of this job cannot be read: {name}"
        raise RecordUnreadableError(message) from error
    return bounded({name: packed(text) if name in _PACKABLE else text for name, text in fields.items()})


def bounded(fields: Mapping[str, str]) -> dict[str, str]:
    """Return ``fields``; raise RecordUnreadableError where they are longer than a record may be."""
    length = length_of(fields)
    if length > MAX_RECORD_BYTES:
        message = f"the record of this job would have {length} bytes; at most {MAX_RECORD_BYTES} are kept"
        raise RecordUnreadableError(message)
    return dict(fields)


def length_of(fields: Mapping[str, str]) -> int:
    """Return the bytes of names and values together."""
    return sum(len(name) + len(text) for name, text in fields.items())
