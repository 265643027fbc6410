"""The use case: a video in, the same video with its faces and plates hidden out.

Twice through the file: once to find and to follow, once to paint and to write. Memory holds boxes and a few
frames, however long the video is.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import av
from av import VideoFrame
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from obscura.contract import MetadataPolicy
from obscura.detection.detector import DetectionOptions, Detector
from obscura.errors import ProcessingFailedError, UndecodablePhotoError
from obscura.geometry import Box, Size
from obscura.imaging.gate import GateLimits
from obscura.redaction.policy import RedactionPolicy
from obscura.redaction.regions import grown
from obscura.redaction.styles import RegionShape, Solid
from obscura.video.patterns import Pattern, cover, paintable, pattern_of
from obscura.video.source import info_of, kind_of, opened, pictures
from obscura.video.tracking import Seen, Tracker, TrackerOptions
from obscura.video.turning import quarters, to_stored, upright

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["Progress", "Stage", "VideoReport", "VideoRequest", "redact_video"]

UNSURE_SHARE: Final = 0.5
"""From this share of the usual score a detection continues a track."""

KEPT_TAGS: Final = frozenset({"creation_time", "make", "model", "com.apple.quicktime.creationdate"})
PLACE_TAGS: Final = frozenset({"location", "location-eng", "com.apple.quicktime.location.iso6709"})
STREAM_TAGS: Final = frozenset({"language"})


class Stage(StrEnum):
    """What is being done."""

    FINDING = "finding"
    HIDING = "hiding"


Progress = Callable[[Stage, int, int], None]
"""Called with the stage, the frames done and how many there seem to be; whatever it raises ends the work."""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """How to redact a video."""

    policy: RedactionPolicy = field(default_factory=RedactionPolicy)
    detection: DetectionOptions = field(default_factory=DetectionOptions)
    metadata: MetadataPolicy = MetadataPolicy.STRIP
    limits: GateLimits = field(default_factory=GateLimits)
    max_gap_s: float = 1.0
    hold_s: float = 0.5
    crf: int = 18


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What was done."""

    frames: int
    tracks: dict[str, int]
    hidden_frames: int
    audio: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "frames": self.frames,
            "tracks": dict(self.tracks),
            "hidden_frames": self.hidden_frames,
            "audio": list(self.audio),
            "removed": list(self.removed),
            "warnings": list(self.warnings),
        }


def _ignore(_stage: Stage, _done: int, _total: int) -> None:
    return


@dataclass(slots=True)
class _Plan:
    """What the first pass leaves: for each frame the tracks and their stored boxes, a pattern per track."""

    hidden: list[list[tuple[int, Box]]]
    patterns: dict[int, Pattern]
    shapes: dict[int, RegionShape]
    tracks: dict[str, int]
    broken: int


def redact_video(
    source: Path,
    target: Path,
    detectors: Sequence[Detector],
    request: VideoRequest,
    progress: Progress = _ignore,
) -> VideoReport:
    """Write ``source`` with its faces and plates hidden to ``target``; there whole, or not at all.

    Raises
    ------
    PhotoError
        If the video cannot be used; ``code`` says why.
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
        info = info_of(container, request.limits)
        plan = _find(container, detectors, request, lambda done: progress(Stage.FINDING, done, info.frames))
    total = len(plan.hidden)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".obscura-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        with opened(source, kind) as container, av.open(str(temporary), "w", format=writer) as output:
            scribe = _Scribe(container, output, kind.codec, request)
            for done, frame in enumerate(scribe.frames()):
                if done >= total:
                    message = "the video did not decode the same way twice"
                    raise ProcessingFailedError(message)
                scribe.write(_hidden(frame, plan.hidden[done], plan))
                progress(Stage.HIDING, done + 1, total)
            scribe.finish()
        temporary.replace(target)
    except FFmpegError as error:
        message = f"the video cannot be written: {error.strerror}"
        raise ProcessingFailedError(message) from error
    finally:
        temporary.unlink(missing_ok=True)
    return VideoReport(
        frames=total,
        tracks=plan.tracks,
        hidden_frames=sum(1 for hide in plan.hidden if hide),
        audio=scribe.audio,
        removed=scribe.removed,
        warnings=_warnings(plan.broken),
    )


def _warnings(broken: int) -> tuple[str, ...]:
    return (f"{broken} packets could not be decoded and were left out",) if broken else ()


def _decoded(packet: "Packet[Any]") -> tuple[list[VideoFrame], bool]:
    """Return the frames of a packet, and whether it could be decoded: one bad packet is no bad video."""
    try:
        return list(packet.decode()), True
    except av.error.InvalidDataError:
        return [], False


def _find(
    container: InputContainer,
    detectors: Sequence[Detector],
    request: VideoRequest,
    progress: Callable[[int], None],
) -> _Plan:
    stream = pictures(container)[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    sure = {item.card.class_name: _threshold(item, request.detection) for item in detectors}
    hold = round(request.hold_s * rate)
    tracker = Tracker(TrackerOptions(sure, max(1, round(request.max_gap_s * rate)), max(1, hold)))
    patterns: dict[int, Pattern] = {}
    shapes: dict[int, RegionShape] = {}
    frames = broken = 0
    turns: list[int] = []
    size = Size(0, 0)
    for packet in container.demux(stream):
        decoded, good = _decoded(packet)
        broken += not good
        for frame in decoded:
            size = Size(frame.width, frame.height)
            turns.append(quarters(frame.rotation))
            seen = _look(frame, turns[-1], detectors, request.detection)
            for track in tracker.update(frames, seen):
                name = tracker.class_of(track)
                style = request.policy.style_of(name)
                box = _region(tracker.box_of(track, frames), turns[-1], size, request.policy)
                patterns[track] = pattern_of(paintable(frame), box, style)
                shapes[track] = RegionShape.BOX if isinstance(style, Solid) else request.policy.shape
            frames += 1
            progress(frames)
    if frames == 0:
        message = "no picture of the video can be decoded"
        raise UndecodablePhotoError(message)
    hidden = [
        [(track, _region(box, turns[number], size, request.policy)) for track, box in boxes]
        for number, boxes in enumerate(tracker.to_hide(frames))
    ]
    counts: dict[str, int] = {}
    for track in tracker.kept():
        counts[tracker.class_of(track)] = counts.get(tracker.class_of(track), 0) + 1
    return _Plan(hidden, patterns, shapes, counts, broken)


def _threshold(detector: Detector, options: DetectionOptions) -> float:
    return detector.card.min_confidence if options.min_confidence is None else options.min_confidence


def _region(box: Box, turns: int, stored: Size, policy: RedactionPolicy) -> Box:
    return to_stored(grown(box, policy.grow), turns, stored)


def _look(
    frame: VideoFrame, turns: int, detectors: Sequence[Detector], options: DetectionOptions
) -> list[Seen]:
    pixels = upright(frame.to_ndarray(format="rgb24"), turns)
    found = []
    for detector in detectors:
        unsure = _threshold(detector, options) * UNSURE_SHARE
        low = DetectionOptions(options.quality, unsure, options.panorama, options.priors)
        found += [Seen(item.class_name, item.box, item.confidence) for item in detector.detect(pixels, low)]
    return found


def _hidden(frame: VideoFrame, hide: Sequence[tuple[int, Box]], plan: _Plan) -> VideoFrame:
    if not hide:
        return frame
    painted = paintable(frame)
    cover(painted, [(plan.patterns[track], box, plan.shapes[track]) for track, box in hide])
    return painted


class _Scribe:
    """Writes the output: painted pictures anew, sound as it was, tags by the policy, nothing else."""

    def __init__(
        self, source: InputContainer, output: OutputContainer, codec: str, request: VideoRequest
    ) -> None:
        self._source = source
        self._output = output
        self._in = pictures(source)[0]
        self._in.thread_type = "AUTO"
        self._out: VideoStream | None = None
        self._codec = codec
        self._crf = request.crf
        self._sound: dict[int, Stream] = {}
        self.audio: tuple[str, ...] = ()
        self.removed: tuple[str, ...] = ()
        self._pending: list[Packet[Any]] = []
        self._begin(request.metadata)

    def _begin(self, policy: MetadataPolicy) -> None:
        dropped = [
            f"{stream.type} stream"
            for stream in self._source.streams
            if stream.type not in {"video", "audio"}
        ]
        dropped += ["cover or second picture stream"] * (len(self._source.streams.video) - 1)
        kept = KEPT_TAGS if policy is not MetadataPolicy.STRIP else frozenset()
        kept |= PLACE_TAGS if policy is MetadataPolicy.KEEP_SAFE else frozenset()
        for name, value in self._source.metadata.items():
            if name.lower() in kept:
                self._output.metadata[name] = value
            else:
                dropped.append(f"tag {name}")
        self.removed = tuple(dict.fromkeys(dropped))
        self.audio = tuple(stream.codec_context.name for stream in self._source.streams.audio)

    def _open(self, frame: VideoFrame) -> VideoStream:
        """Make the streams of the output, once the first frame has shown what its pictures are like."""
        rate = self._in.average_rate or self._in.guessed_rate or Fraction(25)
        options = {"crf": str(self._crf), "preset": "veryfast"}
        if self._codec == "libvpx-vp9":
            options = {"crf": str(self._crf + 10), "b": "0", "deadline": "realtime", "cpu-used": "6"}
        # By name it could be any stream; of these two it is one of pictures.
        out = cast("VideoStream", self._output.add_stream(self._codec, rate=rate, options=options))
        context = out.codec_context
        context.width, context.height = frame.width, frame.height
        context.pix_fmt = frame.format.name
        context.time_base = self._in.time_base or Fraction(1, 90_000)
        for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
            setattr(context, name, getattr(frame, name))
        if self._in.sample_aspect_ratio:
            context.sample_aspect_ratio = self._in.sample_aspect_ratio
        if frame.rotation:
            out.set_display_rotation(frame.rotation)
        for stream in self._source.streams.audio:
            copy = self._output.add_stream_from_template(stream)
            copy.metadata.update({k: v for k, v in stream.metadata.items() if k in STREAM_TAGS})
            self._sound[stream.index] = copy
        return out

    def frames(self) -> Iterator[VideoFrame]:
        """Yield the pictures of the source in turn, passing its sound on by the way."""
        wanted = [self._in, *self._source.streams.audio]
        for packet in self._source.demux(*wanted):
            if packet.stream is self._in:
                yield from _decoded(packet)[0]
            elif packet.dts is not None:
                self._pass_on(packet)

    def _pass_on(self, packet: "Packet[Any]") -> None:
        if self._out is None:
            # Sound may come before the first picture says how the file begins.
            self._pending.append(packet)
            return
        packet.stream = self._sound[packet.stream.index]
        self._output.mux(packet)

    def write(self, frame: VideoFrame) -> None:
        """Write one picture."""
        frame = frame if frame.format.name == self._format(frame) else paintable(frame)
        if self._out is None:
            self._out = self._open(frame)
            for packet in self._pending:
                self._pass_on(packet)
            self._pending.clear()
        # The source's key frames are its own business.
        frame.pict_type = 0
        self._output.mux(self._out.encode(frame))

    def _format(self, frame: VideoFrame) -> str:
        return self._out.codec_context.pix_fmt or "" if self._out else paintable(frame).format.name

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._out is not None:
            self._output.mux(self._out.encode(None))
