"""Opening videos: which kinds, within which limits; what is told of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from obscura.errors import TooManyPixelsError, UndecodablePhotoError, UnsupportedFormatError
from obscura.geometry import Size
from obscura.imaging.gate import GateLimits

__all__ = ["VIDEO_SUFFIXES", "Kind", "VideoInfo", "info_of", "kind_of", "opened"]

HEAD_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of containers: FFmpeg's reader and writer, and the codec that its pictures are written with.

    The reader is named because FFmpeg would otherwise guess, and some of its guesses open what a file names:
    playlists, other files, addresses.
    """

    reader: str
    writers: dict[str, str]
    codec: str


MP4: Final = Kind("mov,mp4,m4a,3gp,3g2,mj2", {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}, "libx264")
MATROSKA: Final = Kind("matroska,webm", {".mkv": "matroska"}, "libx264")
WEBM: Final = Kind("matroska,webm", {".webm": "webm"}, "libvpx-vp9")
AVI: Final = Kind("avi", {".avi": "avi"}, "libx264")
VIDEO_SUFFIXES: Final = frozenset({suffix for kind in (MP4, MATROSKA, WEBM, AVI) for suffix in kind.writers})


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as its container describes it; ``size`` is as stored, not turned."""

    size: Size
    frames: int
    rate: Fraction
    codec: str
    has_audio: bool


def kind_of(path: Path) -> Kind:
    """Return the kind of a file by its first bytes and its suffix.

    Raises
    ------
    UnsupportedFormatError
        If it is no video that is known here.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}:
        return MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM if path.suffix.lower() == ".webm" else MATROSKA
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return AVI
    message = "not a video of a known kind: MP4, MOV, Matroska, WebM, AVI"
    raise UnsupportedFormatError(message)


@contextmanager
def opened(path: Path, kind: Kind) -> Iterator[InputContainer]:
    """Open a video for reading.

    Raises
    ------
    UndecodablePhotoError
        If it cannot be read, or has no pictures.
    """
    try:
        container = av.open(
            str(path), format=kind.reader.split(",")[0], options={"protocol_whitelist": "file"}
        )
    except (FFmpegError, ValueError) as error:
        message = "the video cannot be opened"
        raise UndecodablePhotoError(message) from error
    with container:
        if not pictures(container):
            message = "the file has no video stream"
            raise UndecodablePhotoError(message)
        yield container


def pictures(container: InputContainer) -> list[VideoStream]:
    """Return the streams of moving pictures; cover pictures are none."""
    covers = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & covers]


def info_of(container: InputContainer, limits: GateLimits) -> VideoInfo:
    """Return what a video says of itself.

    Raises
    ------
    TooManyPixelsError
        If its frames are larger than a photo may be.
    """
    stream = pictures(container)[0]
    size = Size(stream.codec_context.width, stream.codec_context.height)
    if size.pixels > limits.max_pixels or size.long_side > limits.max_side:
        message = f"frames of {size.width} x {size.height} pixels are more than this installation accepts"
        raise TooManyPixelsError(message)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    seconds = (container.duration or 0) / av.time_base
    frames = stream.frames or int(seconds * rate)
    return VideoInfo(size, frames, rate, stream.codec_context.name, bool(container.streams.audio))
