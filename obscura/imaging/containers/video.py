"""Probe videos by their first bytes and length. Standard library only."""

from enum import StrEnum
from typing import Final

from obscura.errors import EmptyPhotoError, PhotoTooLargeError, UnsupportedFormatError
from obscura.wording import megabytes

__all__ = ["HEAD_BYTES", "VideoFormat", "check_video", "format_of"]

HEAD_BYTES: Final = 64
"""Bytes from the beginning of a file that are enough to recognise its format."""

_ATOMS: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
# Brands of still pictures (HEIC, AVIF), which use the same container.
_STILL_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})
_EBML: Final = b"\x1a\x45\xdf\xa3"
_DOC_TYPE: Final = b"\x42\x82"


class VideoFormat(StrEnum):
    """Container formats; the value is the file name suffix of the output."""

    MP4 = "mp4"
    MOV = "mov"
    MATROSKA = "mkv"
    WEBM = "webm"
    AVI = "avi"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    VideoFormat.MP4: "video/mp4",
    VideoFormat.MOV: "video/quicktime",
    VideoFormat.MATROSKA: "video/x-matroska",
    VideoFormat.WEBM: "video/webm",
    VideoFormat.AVI: "video/x-msvideo",
}


def format_of(head: bytes) -> VideoFormat:
    """Return the format of a video by its first ``HEAD_BYTES`` bytes; the file name is not used.

    Raises
    ------
    UnsupportedFormatError
        If it is not a video of a supported format.
    """
    if head[4:8] in _ATOMS and head[8:12] not in _STILL_BRANDS:
        is_mp4 = head[4:8] == b"ftyp" and head[8:12] != b"qt  "
        return VideoFormat.MP4 if is_mp4 else VideoFormat.MOV
    if head.startswith(_EBML):
        place = head.find(_DOC_TYPE)
        is_webm = place >= 0 and head[place + 3 :].startswith(b"webm")
        return VideoFormat.WEBM if is_webm else VideoFormat.MATROSKA
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return VideoFormat.AVI
    message = "not a video of a known kind: MP4, MOV, Matroska, WebM, AVI"
    raise UnsupportedFormatError(message)


def check_video(head: bytes, length: int, max_bytes: int) -> VideoFormat:
    """Validate a video by its length and first bytes and return its format.

    Raises
    ------
    EmptyPhotoError
        If its length is 0.
    PhotoTooLargeError
        If it is longer than ``max_bytes``.
    UnsupportedFormatError
        If it is not a video of a supported format.
    """
    if length == 0:
        message = "the file is empty"
        raise EmptyPhotoError(message)
    if length > max_bytes:
        message = f"the video has {megabytes(length)}; at most {megabytes(max_bytes)} are accepted"
        raise PhotoTooLargeError(message)
    return format_of(head)
