"""Rewrite ICC profiles without their texts. Standard library only.

A profile contains free text (description, copyright, maker, model), private tags and a header with names and
a date. Only the tags that colour management needs are copied, each at the length defined by its type.

Source: ICC.1:2022, sections 7.2 (header), 9.2 (tags) and 10 (types).
"""

import struct
from collections.abc import Iterator
from typing import Final

from obscura.imaging.metadata.icc_luts import curve_length, neutral_table

_HEADER: Final = 128
_ENTRY: Final = 12
_MAX_TAGS: Final = 100
_TYPE_HEAD: Final = 8
_KEPT: Final = frozenset(
    {b"wtpt", b"bkpt", b"chad", b"cicp"}
    | {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC"}
    | {b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"gamt"}
)
_FIXED: Final = {b"XYZ ": 20, b"sf32": 44, b"cicp": 12}
"""Length in bytes of types with a fixed number of values: one colour, a 3 x 3 matrix, four codes."""

_TABLES: Final = (b"mAB ", b"mBA ")
_DATE: Final = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
_MODERN: Final = 4
_NAME: Final = "profile"


def neutral(profile: bytes) -> bytes | None:
    """Return a profile with the same colours and no text of the original, None where it cannot be read.

    Idempotent: a rewritten profile is returned unchanged.
    """
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return None
    try:
        tags = dict(_kept(profile))
    except (struct.error, IndexError):
        return None
    if not tags:
        return None
    is_modern = profile[8] >= _MODERN
    tags[b"desc"] = _modern_text() if is_modern else _old_description()
    tags[b"cprt"] = _modern_text() if is_modern else b"text" + bytes(4) + _NAME.encode() + b"\x00"
    return _written(profile, tags)


def _kept(profile: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the exact data of each tag that is kept."""
    count = struct.unpack_from(">I", profile, _HEADER)[0]
    for index in range(min(count, _MAX_TAGS)):
        name, offset, length = struct.unpack_from(">4sII", profile, _HEADER + 4 + index * _ENTRY)
        if name in _KEPT:
            data = profile[offset : offset + length]
            clean = _clean(data)
            if clean is not None:
                yield name, clean


def _clean(data: bytes) -> bytes | None:
    """Return a tag's data at its exact length with reserved bytes zeroed.

    None for a type that is not kept.
    """
    if data[:4] in _TABLES:
        return neutral_table(data)
    exact = _exact_length(data)
    if exact is None or not _TYPE_HEAD < exact <= len(data):
        return None
    # The four bytes behind the type are reserved.
    return data[:4] + bytes(4) + data[_TYPE_HEAD:exact]


def _exact_length(data: bytes) -> int | None:
    """Return the length in bytes of a tag's data by its type; None for a type that is not kept."""
    kind = data[:4]
    match kind:
        case b"XYZ " | b"sf32" | b"cicp":
            return _FIXED[kind]
        case b"curv" | b"para":
            return curve_length(data)
        case b"mft1" | b"mft2":
            return _table_length(data, 1 if kind == b"mft1" else 2)
        case _:
            return None


def _table_length(data: bytes, width: int) -> int:
    """Return the bytes of a lut8Type (values of one byte) or a lut16Type (of two)."""
    inputs, outputs, points = data[8], data[9], data[10]
    steps_in, steps_out = struct.unpack_from(">HH", data, 48) if width == 2 else (256, 256)  # noqa: PLR2004
    head = 52 if width == 2 else 48  # noqa: PLR2004 - lut16Type
    return head + width * int(inputs * steps_in + points**inputs * outputs + outputs * steps_out)


def _modern_text() -> bytes:
    """Return a multiLocalizedUnicodeType of one record."""
    text = _NAME.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(text), 28) + text


def _old_description() -> bytes:
    """Return a textDescriptionType without Unicode and ScriptCode parts."""
    text = _NAME.encode() + b"\x00"
    return b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)


def _written(profile: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a profile of ``tags``; equal data is stored once."""
    offset = _HEADER + 4 + _ENTRY * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    places: dict[bytes, int] = {}
    for name, data in sorted(tags.items()):
        if data not in places:
            places[data] = offset + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    return _header(profile, _HEADER + len(table) + len(body)) + table + body


def _header(profile: bytes, length: int) -> bytes:
    """Return the header with its colour fields and without names and dates."""
    # Size, no CMM; version, class, colour space, connection space; date; signature; no platform, flags,
    # maker, model or attributes; intent and illuminant; no creator, no identifier.
    parts = (
        struct.pack(">II", length, 0) + profile[8:12] + profile[12:24] + _DATE,
        b"acsp" + bytes(24) + profile[64:80],
        bytes(48),
    )
    return b"".join(parts)
