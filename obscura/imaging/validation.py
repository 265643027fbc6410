"""Validate a file by size and structure before decoding.

A small file can cost half a minute or five gigabytes to decode, so every caller that opens pictures validates
first. Standard library only, so that the gateway can use it as well.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from obscura.errors import (
    AnimatedPhotoError,
    EmptyPhotoError,
    PhotoTooLargeError,
    TooManyPixelsError,
    TooManyScansError,
    TruncatedPhotoError,
    UnsupportedFormatError,
)
from obscura.imaging.formats import Buffer, PhotoFormat, PhotoHeader
from obscura.imaging.headers import inspect
from obscura.imaging.resource_limits import Budget
from obscura.wording import megabytes

ACCEPTED: Final = frozenset(
    {
        PhotoFormat.JPEG,
        PhotoFormat.PNG,
        PhotoFormat.WEBP,
        PhotoFormat.TIFF,
        PhotoFormat.BMP,
        PhotoFormat.GIF,
        PhotoFormat.HEIC,
        PhotoFormat.AVIF,
    }
)
"""Every supported format; HEIC needs an optional decoder."""


_MOST_FRAMES: Final = ("only one is accepted unless all frames are asked for", "at most {} are accepted")


@dataclass(frozen=True, slots=True)
class ValidationLimits:
    """Limits of an accepted photo.

    Attributes
    ----------
    max_bytes
        Length of the file, in bytes.
    max_pixels
        Width times height, in pixels.
    max_side
        The longer side, in pixels.
    max_scans
        Scans (SOS segments) of a JPEG; encoders write about ten, a decompression bomb hundreds.
    max_frames
        Frames or pages; all together have at most ``max_pixels``.
    formats
        Accepted formats.
    budget
        Resource budget of opening the photo; None for no limit. Validation itself does not use it.
    """

    max_bytes: int = 25 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side: int = 16_384
    max_scans: int = 64
    max_frames: int = 1
    formats: AbstractSet[PhotoFormat] = ACCEPTED
    budget: Budget | None = None


def check(data: Buffer, limits: ValidationLimits | None = None) -> PhotoHeader:
    """Validate a file and return its header.

    Parameters
    ----------
    data
        All bytes of the file.
    limits
        Limits; the defaults of `ValidationLimits` where None.

    Raises
    ------
    PhotoError
        One of its subclasses, the first that applies: `EmptyPhotoError`, `PhotoTooLargeError`,
        `UnsupportedFormatError`, `UndecodablePhotoError`, `AnimatedPhotoError`, `TooManyPixelsError`,
        `TooManyScansError`, `TruncatedPhotoError`. No other exception is raised, whatever the input.
    """
    limits = limits or ValidationLimits()
    check_length(len(data), limits)
    header = inspect(data)
    if header.format not in limits.formats:
        message = f"{header.format.name} is not accepted"
        raise UnsupportedFormatError(message)
    if header.frames > limits.max_frames:
        most = _MOST_FRAMES[limits.max_frames > 1].format(limits.max_frames)
        message = f"the file has {header.frames} frames; {most}"
        raise AnimatedPhotoError(message)
    _check_size(header, limits)
    if not header.complete:
        message = "the file ends before its picture does"
        raise TruncatedPhotoError(message)
    return header


def check_length(length: int, limits: ValidationLimits) -> None:
    """Check the length of a file, for a caller that has not read the file yet.

    Raises
    ------
    EmptyPhotoError
        If it is 0.
    PhotoTooLargeError
        If it is above the limit.
    """
    if length == 0:
        message = "the file is empty"
        raise EmptyPhotoError(message)
    if length > limits.max_bytes:
        message = f"the file has {megabytes(length)}; at most {megabytes(limits.max_bytes)} are accepted"
        raise PhotoTooLargeError(message)


def _check_size(header: PhotoHeader, limits: ValidationLimits) -> None:
    """Raise an error for a picture of too many pixels or scans."""
    size = header.size
    if size.long_side > limits.max_side or size.pixels * header.frames > limits.max_pixels:
        frames = f" in each of {header.frames} frames" if header.frames > 1 else ""
        message = (
            f"the picture has {size.width} x {size.height} pixels{frames}; at most {limits.max_pixels} "
            f"pixels and a side of {limits.max_side} are accepted"
        )
        raise TooManyPixelsError(message)
    if header.scans > limits.max_scans:
        message = f"the JPEG has {header.scans} scans; at most {limits.max_scans} are accepted"
        raise TooManyScansError(message)
