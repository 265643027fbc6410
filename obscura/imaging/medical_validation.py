"""Validate mammograms: DICOM by its magic bytes, greyscale formats by their structure.

Standard library only, so that the gateway can use it as well. The size of a DICOM picture is checked by its
reader (`obscura.lesions.dicom`) against the same limits, before decoding.
"""

import re
from typing import Final

from obscura.errors import TruncatedPhotoError, UnsupportedFormatError
from obscura.imaging.formats import Buffer, PhotoFormat
from obscura.imaging.headers import sniff
from obscura.imaging.validation import ValidationLimits, check, check_length

__all__ = ["MEDICAL", "check_medical", "is_dicom"]

MEDICAL: Final = frozenset({PhotoFormat.JPEG, PhotoFormat.PNG, PhotoFormat.TIFF})
_PREAMBLE: Final = 128
_BARE: Final = re.compile(rb"\x02\x00\x00\x00UL|\x08\x00[\x00\x01\x05\x08\x12\x14\x16\x18]\x00", re.DOTALL)
"""First bytes of a data set stored without preamble, as in old archives."""
_LEAST: Final = 256


def is_dicom(data: Buffer) -> bool:
    """Return whether the bytes begin as a DICOM file does, with or without the preamble."""
    head = bytes(data[: _PREAMBLE + 4])
    return head[_PREAMBLE:] == b"DICM" or _BARE.match(head) is not None


def check_medical(data: Buffer, limits: ValidationLimits) -> None:
    """Validate a mammogram.

    Raises
    ------
    PhotoError
        As `obscura.imaging.validation.check` does; of a DICOM file only the length is checked.
    """
    check_length(len(data), limits)
    if is_dicom(data):
        if len(data) < _LEAST:
            message = "the file ends before its picture does"
            raise TruncatedPhotoError(message)
        return
    if sniff(data) not in limits.formats:
        message = "this kind of file is not accepted; send a DICOM, PNG, TIFF or JPEG mammogram"
        raise UnsupportedFormatError(message)
    check(data, limits)
