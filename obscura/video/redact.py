"""Redact a video: detect, track, paint, encode.

Twice through the file: once to find and to follow, once to paint and to write. Memory holds boxes and a few
frames, however long the video is.
"""

import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import av
from av import VideoFrame
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from obscura.contract import Audio, MetadataPolicy
from obscura.detection.arrays import Pixels
from obscura.detection.detections import DetectionOptions
from obscura.detection.extra import ObjectDetector
from obscura.errors import InvalidOptionError, ProcessingFailedError, UndecodablePhotoError
from obscura.geometry import Box, Size
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.privacy_masks import PrivacyMask
from obscura.video.ahead import ahead
from obscura.video.detection import FrameDetector
from obscura.video.patterns import cover, paintable
from obscura.video.plan import Plan
from obscura.video.rotation import quarters, upright
from obscura.video.shot_detection import ShotDetector
from obscura.video.sound import Sound, Span
from obscura.video.source import Checked, VideoLimits, info_of, kind_of, opened, pictures
from obscura.video.tracking import Tracker, TrackerOptions
from obscura.video.writer import EncoderOptions, VideoWriter, decoded

__all__ = ["Progress", "Stage", "VideoReport", "VideoRequest", "redact_video"]

MAX_RATE: Final = 240.0
"""Some files say thousands of frames a second, and mean milliseconds."""

REPRODUCIBLE: Final = {"fflags": "bitexact"}
"""Matroska has a random number and the time in each file otherwise."""


class Stage(StrEnum):
    """What is being done."""

    DETECTING = "finding"
    REDACTING = "hiding"


Progress = Callable[[Stage, int, int], None]
"""Called with the stage, the frames done and how many there seem to be; whatever it raises ends the work."""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """How to redact a video; ``mask`` and ``keep`` are those of `RedactionRequest`, for every frame.

    Attributes
    ----------
    max_gap_s, hold_s
        See `TrackerOptions`, in seconds.
    beep
        With `Audio.BEEP`: when a tone covers the sound, in seconds from the first picture on.
    interval_s
        Seconds between two full detections at most, not more than ``hold_s``: what the full detector alone
        finds is hidden back to the full detection before.
    crf
        Constant rate factor of the encoder.
    """

    policy: RedactionPolicy = field(default_factory=RedactionPolicy)
    detection: DetectionOptions = field(default_factory=DetectionOptions)
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    audio: Audio = Audio.KEEP
    beep: tuple[Span, ...] = ()
    limits: VideoLimits = field(default_factory=VideoLimits)
    max_gap_s: float = 2.0
    hold_s: float = 0.5
    interval_s: float = 0.5
    crf: int = 18
    keep: tuple[Box, ...] = ()
    mask: PrivacyMask | None = None


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What was done; ``size`` is that of the frames as a person sees them.

    ``kept`` counts, frame by frame, the finds that zones spared, and ``regions`` is what a mask hid in all
    frames; None where there were no zones or no mask.
    """

    frames: int
    size: Size
    tracks: dict[str, int]
    hidden_frames: int
    audio: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]
    beeped: tuple[Span, ...] = ()
    kept: int | None = None
    regions: tuple[Box, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        told: dict[str, Any] = {
            "verdict": "clean" if self.hidden_frames else "nothing_found",
            "image": {**self.size._asdict(), "frames": self.frames},
            "frames": self.frames,
            "tracks": dict(self.tracks),
            "hidden_frames": self.hidden_frames,
            "audio": list(self.audio),
            "removed": list(self.removed),
            "warnings": list(self.warnings),
        }
        if self.beeped:
            told["beeped"] = [list(span) for span in self.beeped]
        if self.kept is not None:
            told["kept"] = self.kept
        if self.regions is not None:
            told["regions"] = [[*map(round, box.clip(self.size))] for box in self.regions]
        return told


def _ignore(_stage: Stage, _done: int, _total: int) -> None:
    return


def redact_video(
    source: Path,
    target: Path,
    detectors: Sequence[ObjectDetector],
    request: VideoRequest,
    progress: Progress = _ignore,
) -> VideoReport:
    """Write ``source`` with its faces and plates hidden to ``target``; there whole, or not at all.

    Raises
    ------
    PhotoError
        If the video cannot be used; ``code`` says why.
    InvalidOptionError
        If a span of ``beep`` begins after the video's end.
    ProcessingFailedError
        If it cannot be written in the target's kind of file.
    OSError
        If a file cannot be read or written.
    """
    kind = kind_of(source)
    writer = kind.writers.get(target.suffix.lower())
    if writer is None:
        message = f"a video of this kind is written to {', '.join(sorted(kind.writers))}"
        raise ProcessingFailedError(message)
    with opened(source, kind) as container:
        total = _frames_of(container, request)
        try:
            plan = _find(container, detectors, request, lambda done: progress(Stage.DETECTING, done, total))
        except FFmpegError as error:
            message = f"the video cannot be read: {error.strerror}"
            raise UndecodablePhotoError(message) from error
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".obscura-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        with (
            opened(source, kind) as container,
            av.open(str(temporary), "w", format=writer, options=REPRODUCIBLE) as output,
        ):
            encoder_options = EncoderOptions(kind.codec, writer, request.crf)
            sound = Sound(request.audio, request.beep)
            video_writer = VideoWriter(container, output, encoder_options, request.metadata, sound)
            hidden_frames = _hide(video_writer, plan, request.limits, progress)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except FFmpegError as error:
        message = f"the video cannot be written: {error.strerror}"
        raise ProcessingFailedError(message) from error
    finally:
        temporary.unlink(missing_ok=True)
    return VideoReport(
        frames=plan.frames,
        size=plan.shown,
        tracks=plan.tracks,
        hidden_frames=hidden_frames,
        audio=video_writer.audio,
        removed=video_writer.removed,
        warnings=(*_warnings(plan.broken), *video_writer.warnings),
        beeped=request.beep if video_writer.audio else (),
        kept=plan.kept if request.keep else None,
        regions=None if request.mask is None else plan.masked,
    )


def _frames_of(container: InputContainer, request: VideoRequest) -> int:
    """Return how many frames a video seems to have; raise where it cannot be used, or not as asked for."""
    info = info_of(container, request.limits)
    for begin, end in request.beep:
        # A container that does not say how long it is says zero.
        if info.seconds and begin >= info.seconds:
            message = f"beep: {begin:g}-{end:g} begins after the end of the video, {info.seconds:.2f} s"
            raise InvalidOptionError(message)
    return info.frames


def _umask() -> int:
    # mkstemp's 0600 would surprise: a result is as readable as any file the person makes.
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _warnings(broken: int) -> tuple[str, ...]:
    return (f"{broken} packets could not be decoded and were left out",) if broken else ()


def _find(
    container: InputContainer,
    detectors: Sequence[ObjectDetector],
    request: VideoRequest,
    progress: Callable[[int], None],
) -> Plan:
    stream = pictures(container)[0]
    stream.thread_type = "AUTO"
    rate = min(float(stream.average_rate or stream.guessed_rate or 25), MAX_RATE)
    gap, doubt, hold = (
        max(1, round(seconds * rate)) for seconds in (request.max_gap_s, request.interval_s, request.hold_s)
    )
    tracker = Tracker(TrackerOptions(gap, doubt, hold))
    detector = FrameDetector(detectors, request.detection, tracker, rate, request.interval_s)
    plan = Plan(tracker, request.policy, request.keep, request.mask)
    with closing(ahead(_upright_frames(container, stream, request.limits, plan))) as frames:
        for frame, pixels, begins_shot in frames:
            if begins_shot:
                tracker.cut(plan.frames)
                detector.cut()
            plan.enter(frame, detector.find(plan.frames, pixels))
            progress(plan.frames)
    if plan.frames == 0:
        message = "no picture of the video can be decoded"
        raise UndecodablePhotoError(message)
    return plan


def _upright_frames(
    container: InputContainer, stream: VideoStream, limits: VideoLimits, plan: Plan
) -> Generator[tuple[VideoFrame, Pixels, bool]]:
    """Yield the frames as stored, upright as RGB, and whether they begin another shot."""
    shots, checked = ShotDetector(), Checked(limits)
    for packet in container.demux(stream):
        decoded_frames, good = decoded(packet)
        plan.broken += not good
        for frame in decoded_frames:
            plan.size = checked(frame)
            plan.turns = quarters(frame.rotation)
            yield frame, upright(frame.to_ndarray(format="rgb24"), plan.turns), shots.begins_with(frame)


def _hide(video_writer: VideoWriter, plan: Plan, limits: VideoLimits, progress: Progress) -> int:
    """Write all frames; return how many of them hide something."""
    checked = Checked(limits)
    hidden_frames = 0
    with closing(video_writer.frames()) as frames:
        for hidden in plan.hidden():
            frame = next(frames, None)
            if frame is None:
                message = "the video did not decode the same way twice"
                raise ProcessingFailedError(message)
            checked(frame)
            if hidden:
                frame = paintable(frame)
                cover(frame, hidden)
                hidden_frames += 1
            video_writer.write(frame)
            progress(Stage.REDACTING, checked.frames, plan.frames)
        # Sound may go on behind the last picture; another picture may not come.
        if next(frames, None) is not None:
            message = "the video did not decode the same way twice"
            raise ProcessingFailedError(message)
    video_writer.finish()
    return hidden_frames
