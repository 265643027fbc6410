"""Rules for the EXIF tags that are kept: the type and format that the value of each must have.

A file may have any content in any tag, such as a text as exposure time or a name as date, so values are
checked as well.

Source: CIPA DC-008 (Exif 2.32), tables 4 to 15.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from obscura.imaging.metadata.camera_names import is_camera_name
from obscura.imaging.metadata.exif import ASCII, BYTE, RATIONAL, SHORT, Entry

__all__ = ["EXIF_RULES", "GPS_RULES", "MAIN_RULES", "Rule", "allowed"]

UNDEFINED: Final = 7
SIGNED_RATIONAL: Final = 10


class Rule(NamedTuple):
    """Rule of a tag: its TIFF type, its largest number of values, and for a text a predicate."""

    kind: int
    most: int
    matches: Callable[[str], bool] | None = None


Rules: TypeAlias = Mapping[int, Rule]


def _of_form(form: str, most: int, kind: int = ASCII) -> Rule:
    pattern = re.compile(form)
    return Rule(kind, most, lambda text: pattern.fullmatch(text) is not None)


_CAMERA: Final = Rule(ASCII, 64, is_camera_name)
_DATE_TIME: Final = _of_form(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", 20)
_OFFSET: Final = _of_form(r"[+-]\d\d:\d\d|Z", 7)
_FRACTION: Final = _of_form(r"\d{1,6} {0,5}", 10)
_SHORT: Final = Rule(SHORT, 1)
_RATIONAL: Final = Rule(RATIONAL, 1)
_SIGNED: Final = Rule(SIGNED_RATIONAL, 1)
_ANGLE: Final = Rule(RATIONAL, 3)

MAIN_RULES: Final[Rules] = MappingProxyType(
    {
        271: _CAMERA,  # Make
        272: _CAMERA,  # Model
        306: _DATE_TIME,  # DateTime
    }
)
EXIF_RULES: Final[Rules] = MappingProxyType(
    {
        33434: _RATIONAL,  # ExposureTime
        33437: _RATIONAL,  # FNumber
        34850: _SHORT,  # ExposureProgram
        34855: Rule(SHORT, 2),  # PhotographicSensitivity
        36864: _of_form(r"\d{4}", 4, UNDEFINED),  # ExifVersion
        36867: _DATE_TIME,  # DateTimeOriginal
        36868: _DATE_TIME,  # DateTimeDigitized
        36880: _OFFSET,  # OffsetTime
        36881: _OFFSET,  # OffsetTimeOriginal
        36882: _OFFSET,  # OffsetTimeDigitized
        37377: _SIGNED,  # ShutterSpeedValue
        37378: _RATIONAL,  # ApertureValue
        37380: _SIGNED,  # ExposureBiasValue
        37383: _SHORT,  # MeteringMode
        37385: _SHORT,  # Flash
        37386: _RATIONAL,  # FocalLength
        37520: _FRACTION,  # SubSecTime
        37521: _FRACTION,  # SubSecTimeOriginal
        37522: _FRACTION,  # SubSecTimeDigitized
        40961: _SHORT,  # ColorSpace
        41986: _SHORT,  # ExposureMode
        41987: _SHORT,  # WhiteBalance
        41989: _SHORT,  # FocalLengthIn35mmFilm
        42036: _CAMERA,  # LensModel
    }
)
GPS_RULES: Final[Rules] = MappingProxyType(
    {
        0: Rule(BYTE, 4),  # GPSVersionID
        1: _of_form("[NS]", 2),  # GPSLatitudeRef
        2: _ANGLE,  # GPSLatitude
        3: _of_form("[EW]", 2),  # GPSLongitudeRef
        4: _ANGLE,  # GPSLongitude
        5: Rule(BYTE, 1),  # GPSAltitudeRef
        6: _RATIONAL,  # GPSAltitude
        7: _ANGLE,  # GPSTimeStamp
        29: _of_form(r"\d{4}:\d\d:\d\d", 11),  # GPSDateStamp
    }
)


def allowed(entries: Mapping[int, Entry], rules: Rules) -> dict[int, Entry]:
    """Return the entries whose values satisfy the rule of their tag; texts end at their first zero byte."""
    kept = {tag: _checked(entry, rules[tag]) for tag, entry in entries.items() if tag in rules}
    return {tag: entry for tag, entry in kept.items() if entry is not None}


def _checked(entry: Entry, rule: Rule) -> Entry | None:
    if entry.kind != rule.kind or not 0 < entry.values <= rule.most:
        return None
    if rule.matches is None:
        return entry
    text = entry.raw.split(b"\x00", 1)[0].decode("latin-1").rstrip(" ") if rule.kind == ASCII else ""
    if rule.kind == UNDEFINED:
        text = entry.raw.decode("latin-1")
    if not text.isascii() or not rule.matches(text):
        return None
    # Rewritten, because another text may follow the zero byte.
    raw = text.encode("ascii") + (b"\x00" if rule.kind == ASCII else b"")
    return Entry(rule.kind, len(raw), raw)
