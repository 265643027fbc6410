"""Open videos within limits and read their properties."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Final

import av
from av import VideoFrame
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from obscura.errors import (
    EmptyPhotoError,
    TooManyPixelsError,
    UndecodablePhotoError,
    UnsupportedCodecError,
    UnsupportedFormatError,
    VideoTooLongError,
)
from obscura.geometry import Size
from obscura.imaging.containers.video import HEAD_BYTES, VideoFormat, format_of
from obscura.imaging.resource_limits import Budget, within

__all__ = ["VIDEO_SUFFIXES", "Kind", "VideoInfo", "VideoLimits", "info_of", "kind_of", "opened"]

CODECS: Final = frozenset(
    {
        "av1",
        "libdav1d",
        "dnxhd",
        "ffv1",
        "h263",
        "h264",
        "hevc",
        "mjpeg",
        "mpeg1video",
        "mpeg2video",
        "mpeg4",
        "msmpeg4v3",
        "prores",
        "rawvideo",
        "vp8",
        "vp9",
        "libvpx",
        "libvpx-vp9",
    }
)
"""How pictures may be coded: what cameras, telephones and the web write. FFmpeg reads hundreds more, many of
them read by nobody else for decades."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of containers: FFmpeg's reader and writer, and the codec that its pictures are written with.

    The reader is named because FFmpeg would otherwise guess, and some of its guesses open what a file names:
    playlists, other files, addresses.
    """

    reader: str
    writers: Mapping[str, str]
    codec: str


MP4: Final = Kind("mov", {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}, "libx264")
MATROSKA: Final = Kind("matroska", {".mkv": "matroska"}, "libx264")
WEBM: Final = Kind("matroska", {".webm": "webm"}, "libvpx-vp9")
AVI: Final = Kind("avi", {".avi": "avi"}, "libx264")
KINDS: Final = MappingProxyType(
    {
        VideoFormat.MP4: MP4,
        VideoFormat.MOV: MP4,
        VideoFormat.MATROSKA: MATROSKA,
        VideoFormat.WEBM: WEBM,
        VideoFormat.AVI: AVI,
    }
)
VIDEO_SUFFIXES: Final = frozenset({suffix for kind in KINDS.values() for suffix in kind.writers})


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What a video may be at most: pixels of a frame, its longer side, frames, seconds."""

    max_pixels: int = 50_000_000
    max_side: int = 16_384
    max_frames: int | None = None
    max_seconds: float | None = None

    def check_frame(self, size: Size) -> None:
        """Raise TooManyPixelsError where frames are larger than allowed."""
        if size.pixels > self.max_pixels or size.long_side > self.max_side:
            message = f"frames of {size.width} x {size.height} pixels are more than this installation accepts"
            raise TooManyPixelsError(message)

    def check_count(self, frames: int) -> None:
        """Raise VideoTooLongError where there are more frames than allowed."""
        if self.max_frames is not None and frames > self.max_frames:
            message = f"the video has more than {self.max_frames} pictures"
            raise VideoTooLongError(message)

    def check_seconds(self, seconds: float) -> None:
        """Raise VideoTooLongError where it is longer than allowed."""
        if self.max_seconds is not None and seconds > self.max_seconds:
            message = f"the video is longer than {self.max_seconds:g} seconds"
            raise VideoTooLongError(message)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as its container describes it; ``size`` is as stored, not turned."""

    size: Size
    frames: int
    seconds: float
    rate: Fraction
    codec: str
    has_audio: bool


def kind_of(path: Path) -> Kind:
    """Return the kind of a file by its first bytes.

    Raises
    ------
    EmptyPhotoError
        If there is nothing in it.
    UnsupportedFormatError
        If it is no video that is known here.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        message = "the file is empty"
        raise EmptyPhotoError(message)
    return KINDS[format_of(head)]


def suffix_for(path: Path) -> str:
    """Return the suffix of a result: the file's own, where what it holds can be written under that.

    Raises
    ------
    UnsupportedFormatError
        If it is no video that is known here.
    """
    kind = kind_of(path)
    own = path.suffix
    return own if own.lower() in kind.writers else next(iter(kind.writers))


@contextmanager
def opened(path: Path, kind: Kind) -> Iterator[InputContainer]:
    """Open a video for reading.

    Raises
    ------
    UndecodablePhotoError
        If it cannot be read, or has no pictures.
    UnsupportedCodecError
        If its pictures are coded in a way that is not accepted.
    """
    try:
        container = av.open(str(path), format=kind.reader, options={"protocol_whitelist": "file"})
    except (FFmpegError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        message = "the video cannot be opened"
        raise UndecodablePhotoError(message) from error
    with container:
        streams = pictures(container)
        if not streams:
            message = "the file has no video stream"
            raise UndecodablePhotoError(message)
        _check_codec(streams[0])
        yield container


def _check_codec(stream: VideoStream) -> None:
    # FFmpeg has no decoder for some, and then no context either.
    context = stream.codec_context
    name = None if context is None else context.name
    if name not in CODECS:
        message = f"pictures coded as {name or 'something unknown'} are not accepted"
        raise UnsupportedCodecError(message)


def pictures(container: InputContainer) -> list[VideoStream]:
    """Return the streams of moving pictures; cover pictures are none."""
    covers = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & covers]


def info_of(container: InputContainer, limits: VideoLimits) -> VideoInfo:
    """Return what a video says of itself; what it really holds is checked again as it is decoded.

    Raises
    ------
    TooManyPixelsError
        If its frames are larger than allowed.
    VideoTooLongError
        If it has more frames or seconds than allowed.
    """
    stream = pictures(container)[0]
    size = Size(stream.codec_context.width, stream.codec_context.height)
    limits.check_frame(size)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    seconds = (container.duration or 0) / av.time_base
    frames = stream.frames or int(seconds * rate)
    limits.check_seconds(seconds)
    limits.check_count(frames)
    return VideoInfo(size, frames, seconds, rate, stream.codec_context.name, bool(container.streams.audio))


def check_source(path: Path, limits: VideoLimits, budget: Budget | None = None) -> VideoInfo:
    """Return what a video says of itself; raise as `kind_of`, `opened` and `info_of` do.

    Opening it, for which FFmpeg reads headers and decodes first frames, runs within ``budget`` and raises
    PhotoTooCostlyError where that is not enough.
    """
    with within(budget), opened(path, kind_of(path)) as container:
        return info_of(container, limits)


class Checked:
    """Holds each decoded frame against the limits, whatever the container said, and against the first one.

    Raises (on call)
    ----------------
    TooManyPixelsError, VideoTooLongError
        If the video is larger or longer than allowed.
    UnsupportedFormatError
        If its pictures change their size or turn on the way: no file that is written here can say that.
    """

    def __init__(self, limits: VideoLimits) -> None:
        self._limits = limits
        self._first: tuple[int, int, float] | None = None
        self._start: float | None = None
        self.frames = 0

    def __call__(self, frame: VideoFrame) -> Size:
        """Take the next frame and return its size as stored."""
        size = Size(frame.width, frame.height)
        self.frames += 1
        if self._first is None:
            self._limits.check_frame(size)
            self._first = (*size, frame.rotation)
        elif self._first != (*size, frame.rotation):
            message = "the pictures of the video change their size or turn on the way"
            raise UnsupportedFormatError(message)
        self._limits.check_count(self.frames)
        if frame.time is not None:
            self._start = frame.time if self._start is None else self._start
            self._limits.check_seconds(frame.time - self._start)
        return size
