"""Encode a redacted video with its sound, orientation and permitted tags."""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
from av import VideoFrame
from av.codec import Codec
from av.container import InputContainer, OutputContainer
from av.error import InvalidDataError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from obscura.contract import Audio, MetadataPolicy
from obscura.imaging.metadata.camera_names import is_camera_name
from obscura.video.ahead import ahead
from obscura.video.planes import paintable, planes
from obscura.video.sound import Sound, Track, tracks_of
from obscura.video.source import pictures

if TYPE_CHECKING:
    from av.packet import Packet

__all__ = ["EncoderOptions", "VideoWriter", "decoded"]

_is_time: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?").fullmatch
_is_place: Final = re.compile(r"([+-]\d{1,3}(\.\d{1,6})?){2,3}(CRS[A-Z0-9_]{1,8})?/?").fullmatch
TagCheck: TypeAlias = Callable[[str], object]
KEPT_TAGS: Final[Mapping[str, TagCheck]] = {
    "creation_time": _is_time,
    "com.apple.quicktime.creationdate": _is_time,
    "make": is_camera_name,
    "model": is_camera_name,
}
PLACE_TAGS: Final[Mapping[str, TagCheck]] = dict.fromkeys(
    ("location", "location-eng", "com.apple.quicktime.location.iso6709"), _is_place
)
"""The tags that may be kept, each with what tells a value of its kind: cameras, ISO 8601, ISO 6709."""
VP9: Final = "libvpx-vp9"
AVI: Final = "avi"
LAST_RESORT: Final = "yuv420p"
ODD_SIDES: Final = "a row or column was added, a copy of its neighbour: H.264 has even sides only"
ENCODED_SOUND: Final = "sound of this kind is encoded again as a whole: it cannot be copied, or not in parts"
USUAL_RATE: Final = Fraction(25)
ENCODER_THREADS: Final = 4
"""A fixed number: what x264 writes depends on it, so by the cores of the machine the files would differ."""


def decoded(packet: "Packet[Any]") -> tuple[list[VideoFrame], bool]:
    """Return the frames of a packet, and whether it could be decoded: one bad packet is no bad video."""
    try:
        return list(packet.decode()), True
    except InvalidDataError:
        return [], False


class EncoderOptions:
    """How pictures are written: the codec, and what it is told.

    ``crf`` is x264's constant rate factor; VP9 gets its like.
    """

    def __init__(self, codec: str, container: str, crf: int) -> None:
        self.codec = codec
        self._layouts = frozenset(item.name for item in Codec(codec, "w").video_formats or ())
        # Without it x264 rounds differently from one run to the next: 1 in 5 files had other bytes.
        self.options = {"crf": str(crf), "preset": "veryfast", "x264-params": "cpu-independent=1"}
        if container == AVI:
            # It has no place for times that differ from the order of the pictures.
            self.options["bf"] = "0"
        if codec == VP9:
            self.options = {"crf": str(crf + 10), "b": "0", "deadline": "realtime", "cpu-used": "6"}

    def layout(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame as the codec takes it: some builds of VP9 have 8 bits only."""
        frame = paintable(frame)
        return frame if frame.format.name in self._layouts else frame.reformat(format=LAST_RESORT)


class VideoWriter:
    """Reads the source once more and writes the output beside it.

    ``sound`` says what becomes of its sound, and in which seconds from the first picture on a tone covers it.
    """

    def __init__(
        self,
        source: InputContainer,
        output: OutputContainer,
        encoder_options: EncoderOptions,
        policy: MetadataPolicy,
        sound: Sound,
    ) -> None:
        self._source = source
        self._output = output
        self._in = pictures(source)[0]
        self._in.thread_type = "AUTO"
        self._out: VideoStream | None = None
        self._encoder_options = encoder_options
        self._voices = () if sound.audio is Audio.DROP else tuple(source.streams.audio)
        start = float((self._in.start_time or 0) * (self._in.time_base or 0))
        self._beep = tuple((start + begin, start + end) for begin, end in sound.beep)
        self._sound: dict[int, Track] = {}
        self._pending: list[Packet[Any]] = []
        self.audio = tuple(stream.codec_context.name for stream in self._voices)
        self.removed = self._begin(policy, sound.audio)
        self.warnings: tuple[str, ...] = ()
        self._lead: int | None = None
        self._last_pts = -1
        # Of the frames as they come: copies of them do not know it.
        self._rotation = 0

    def _begin(self, policy: MetadataPolicy, audio: Audio) -> tuple[str, ...]:
        """Write the tags that stay; return what does not."""
        kept_kinds = {"video"} if audio is Audio.DROP else {"video", "audio"}
        dropped = [f"{item.type} stream" for item in self._source.streams if item.type not in kept_kinds]
        dropped += ["cover or second picture stream"] * (len(self._source.streams.video) - 1)
        kept = dict(KEPT_TAGS) if policy is not MetadataPolicy.STRIP else {}
        kept |= PLACE_TAGS if policy is MetadataPolicy.KEEP_SAFE else {}
        for name, value in self._source.metadata.items():
            if name.lower() in kept and kept[name.lower()](value):
                self._output.metadata[name] = value
            else:
                dropped.append(f"tag {name}")
        return tuple(dict.fromkeys(dropped))

    def _open(self, frame: VideoFrame) -> VideoStream:
        """Make the streams of the output, once the first frame has shown what its pictures are like."""
        rate = self._in.average_rate or self._in.guessed_rate or USUAL_RATE
        # By name it could be any stream; of these two it is one of pictures.
        out = cast(
            "VideoStream",
            self._output.add_stream(
                self._encoder_options.codec, rate=rate, options=self._encoder_options.options
            ),
        )
        context = out.codec_context
        context.thread_count = ENCODER_THREADS
        # Whole pictures in turn: a tenth smaller than several slices of each, and no slower.
        context.thread_type = "FRAME"
        context.width, context.height = frame.width, frame.height
        context.pix_fmt = frame.format.name
        context.time_base = self._in.time_base or Fraction(1, 90_000)
        for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
            setattr(context, name, getattr(frame, name))
        if self._in.sample_aspect_ratio:
            context.sample_aspect_ratio = self._in.sample_aspect_ratio
        if self._rotation:
            out.set_display_rotation(self._rotation)
        self._sound = tracks_of(self._voices, self._output, self._beep)
        if any(track.is_encoded_again for track in self._sound.values()):
            self.warnings += (ENCODED_SOUND,)
        return out

    def frames(self) -> Generator[VideoFrame]:
        """Yield the pictures of the source in turn, decoded ahead, passing its sound on by the way."""
        with closing(ahead(self._decoded())) as items:
            for item in items:
                if isinstance(item, VideoFrame):
                    self._rotation = item.rotation
                    yield item
                else:
                    self._pass_on(item)

    def _decoded(self) -> "Generator[VideoFrame | Packet[Any]]":
        """Yield pictures and packets of sound in the order of the source."""
        for packet in self._source.demux(self._in, *self._voices):
            if packet.stream is self._in:
                yield from map(self._timed, decoded(packet)[0])
            elif packet.dts is not None:
                yield packet

    def _timed(self, frame: VideoFrame) -> VideoFrame:
        """Return a picture with its place in time, which AVI says of packets alone: they lead by a few."""
        if self._output.format.name != AVI:
            return frame
        if self._lead is None:
            self._lead = (frame.dts or 0) - (self._in.start_time or 0)
        decoded_at = self._last_pts + 1 if frame.dts is None else frame.dts - self._lead
        self._last_pts = frame.pts = max(self._last_pts + 1, decoded_at)
        return frame

    def _pass_on(self, packet: "Packet[Any]") -> None:
        if self._out is None:
            # Sound may come before the first picture says how the file begins.
            self._pending.append(packet)
            return
        self._output.mux(self._sound[packet.stream.index].packets(packet))

    def write(self, frame: VideoFrame) -> None:
        """Write one picture."""
        frame = self._writable(frame)
        if self._out is None:
            self._out = self._open(frame)
            for packet in self._pending:
                self._pass_on(packet)
            self._pending.clear()
        # The source's key frames are its own business.
        frame.pict_type = 0
        self._output.mux(self._out.encode(frame))

    def _writable(self, frame: VideoFrame) -> VideoFrame:
        """Return a picture as the encoder takes it: in its layout, of even sides where those are needed."""
        frame = self._encoder_options.layout(frame)
        if self._encoder_options.codec == VP9 or not (frame.width % 2 or frame.height % 2):
            return frame
        if ODD_SIDES not in self.warnings:
            self.warnings += (ODD_SIDES,)
        return _even(frame)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._out is not None:
            self._output.mux(self._out.encode(None))
            for track in self._sound.values():
                self._output.mux(track.rest())


def _even(frame: VideoFrame) -> VideoFrame:
    """Return a frame of even sides: the last row and column are doubled where it is odd."""
    wide = VideoFrame(frame.width + frame.width % 2, frame.height + frame.height % 2, frame.format.name)
    for old, new in zip(planes(frame), planes(wide), strict=True):
        new[:] = _padded(old, new.shape)
    wide.pts, wide.time_base = frame.pts, frame.time_base
    for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
        setattr(wide, name, getattr(frame, name))
    return wide


def _padded(plane: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    missing = [(0, long - short) for long, short in zip(shape, plane.shape, strict=True)]
    return np.pad(plane, missing, mode="edge")
