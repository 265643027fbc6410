"""Sound of a redacted video: copied packet by packet, with a tone over given times where asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import numpy as np
from av import AudioFrame
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from numpy.typing import NDArray

from obscura.contract import Audio

__all__ = ["Sound", "Span", "Track", "tracks_of"]

Span: TypeAlias = tuple[float, float]
"""From when to when, in seconds of the video."""
TONE_HZ: Final = 1000.0
TONE_LEVEL: Final = 0.1
"""A share of full scale: -20 dB, the level of a test tone."""
STREAM_TAGS: Final = frozenset({"language"})
AAC_SAMPLES: Final = 1024
"""Samples of an AAC packet; its window reaches over the next one's as well (ISO/IEC 14496-3)."""
AAC_CONFIG_BYTES: Final = 2
"""Object type, sampling rate, channels and frame length of an AudioSpecificConfig."""
AAC_LEAD: Final = 2
"""The first packets of an encoder ramp up from silence."""
ENCODERS: Final = {"opus": "libopus", "vorbis": "libopus", "mp3": "libmp3lame"}
NOT_COPIED: Final = {"avi": frozenset({"aac", "ac3"})}
"""Kinds of sound that lose their times where FFmpeg copies them into a container, from what the source
said of a block's size, which PyAV cannot change."""
OPUS_RATE: Final = 48_000
ROUNDING_S: Final = 0.001
BITS_PER_CHANNEL: Final = (64_000, 192_000)
"""Least and most bits a second of a channel that is encoded again."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What becomes of the sound; with `Audio.BEEP` a tone covers it in the spans of ``beep``."""

    audio: Audio = Audio.KEEP
    beep: tuple[Span, ...] = ()


class Track:
    """A track that is copied."""

    is_encoded_again = False

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        self._source = source
        self._out = self._open(output)
        self._out.metadata.update({k: v for k, v in source.metadata.items() if k in STREAM_TAGS})

    def _open(self, output: OutputContainer) -> AudioStream:
        return output.add_stream_from_template(self._source)

    def packets(self, packet: "Packet[Any]") -> "list[Packet[Any]]":
        """Return what is written for a packet of the source."""
        packet.stream = self._out
        return [packet]

    def rest(self) -> "list[Packet[Any]]":
        """Return what is written behind the last packet."""
        return []


class SplicedTrack(Track):
    """An AAC track of which the packets that sound in a span are replaced by packets of a tone.

    A packet is decoded together with the one before it, so the one before a span is replaced as well.
    """

    def __init__(
        self, source: AudioStream, output: OutputContainer, encoder: AudioCodecContext, spans: Sequence[Span]
    ) -> None:
        super().__init__(source, output)
        self._encoder = encoder
        self._spans = spans
        self._samples = 0
        self._tones: list[bytes] = []
        self._lead = AAC_LEAD

    def packets(self, packet: "Packet[Any]") -> "list[Packet[Any]]":
        start = float((packet.pts or 0) * packet.time_base)
        end = start + 2 * AAC_SAMPLES / self._encoder.sample_rate
        if any(begin < end and start < stop for begin, stop in self._spans):
            packet = self._with_tone(packet)
        return super().packets(packet)

    def _with_tone(self, packet: "Packet[Any]") -> "Packet[Any]":
        while len(self._tones) <= self._lead:
            self._tones += [bytes(item) for item in self._encoder.encode(self._next_tone())]
        replaced = Packet(self._tones.pop(self._lead))
        replaced.pts, replaced.dts, replaced.duration = packet.pts, packet.dts, packet.duration
        replaced.time_base = packet.time_base
        replaced.is_keyframe = packet.is_keyframe
        return replaced

    def _next_tone(self) -> AudioFrame:
        """Return the next samples of one tone without a break."""
        rate, layout = self._encoder.sample_rate, self._encoder.layout
        tone = _tone(np.arange(self._samples, self._samples + AAC_SAMPLES), rate)
        self._samples += AAC_SAMPLES
        samples = np.tile(tone.astype(np.float32), (layout.nb_channels, 1))
        frame = AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = rate
        return frame


class EncodedTrack(Track):
    """A track that is decoded and encoded again with a tone in it; lossless kinds keep the other samples."""

    is_encoded_again = True

    def __init__(self, source: AudioStream, output: OutputContainer, spans: Sequence[Span]) -> None:
        # Some containers round the times of packets to milliseconds.
        self._spans = [(begin - ROUNDING_S, end + ROUNDING_S) for begin, end in spans]
        self._samples = 0
        super().__init__(source, output)

    def _open(self, output: OutputContainer) -> AudioStream:
        source = self._source.codec_context
        name = _encoder_of(source)
        rate = OPUS_RATE if name == "libopus" else source.sample_rate
        # By name it could be any stream; every encoder of sound makes one of sound.
        out = cast("AudioStream", output.add_stream(name, rate=rate, layout=source.layout))
        least, most = BITS_PER_CHANNEL
        channels = source.layout.nb_channels
        out.bit_rate = min(max(source.bit_rate or 0, least * channels), most * channels)
        return out

    def packets(self, packet: "Packet[Any]") -> "list[Packet[Any]]":
        try:
            frames = self._source.codec_context.decode(packet)
        except InvalidDataError:
            return []
        return [item for frame in frames for item in self._out.encode(self._with_tone(frame))]

    def rest(self) -> "list[Packet[Any]]":
        frames: list[AudioFrame | None] = [*map(self._with_tone, self._source.codec_context.decode(None))]
        return [item for frame in (*frames, None) for item in self._out.encode(frame)]

    def _with_tone(self, frame: AudioFrame) -> AudioFrame:
        """Return a frame with the tone in place of its samples in the spans."""
        rate = frame.sample_rate
        # Sample numbers, not times of frames, which are rounded: the tone has no break between frames.
        numbers = np.arange(self._samples, self._samples + frame.samples)
        self._samples += frame.samples
        times = (frame.time or 0.0) + np.arange(frame.samples) / rate
        covered = np.zeros(frame.samples, bool)
        for begin, end in self._spans:
            covered |= (times >= begin) & (times < end)
        if not covered.any():
            return frame
        samples = frame.to_ndarray()
        # Planar samples are (channels, samples); packed ones (1, samples * channels).
        by_channel = samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
        by_channel[:, covered] = _as_samples(_tone(numbers[covered], rate), samples.dtype)
        changed = AudioFrame.from_ndarray(samples, format=frame.format.name, layout=frame.layout)
        changed.sample_rate, changed.pts, changed.time_base = rate, frame.pts, frame.time_base
        return changed


def tracks_of(
    sources: Sequence[AudioStream], output: OutputContainer, spans: Sequence[Span]
) -> dict[int, Track]:
    """Return the tracks of an output by their sources' index.

    ``spans`` are times of the tracks' own clocks that a tone covers.
    """
    return {source.index: _track(source, output, spans) for source in sources}


def _track(source: AudioStream, output: OutputContainer, spans: Sequence[Span]) -> Track:
    if source.codec_context.codec.canonical_name in NOT_COPIED.get(output.format.name, ()):
        return EncodedTrack(source, output, spans)
    if not spans:
        return Track(source, output)
    encoder = _aac_encoder(source.codec_context)
    return (
        EncodedTrack(source, output, spans)
        if encoder is None
        else SplicedTrack(source, output, encoder, spans)
    )


def _aac_encoder(source: AudioCodecContext) -> AudioCodecContext | None:
    """Return an encoder whose packets fit into an AAC track, None where none does."""
    if source.codec.canonical_name != "aac" or not source.extradata:
        return None
    encoder = AudioCodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = source.sample_rate, source.layout, "fltp"
    try:
        encoder.open()
    except (FFmpegError, ValueError):
        return None
    fits = (encoder.extradata or b"")[:AAC_CONFIG_BYTES] == source.extradata[:AAC_CONFIG_BYTES]
    return encoder if fits else None


def _encoder_of(source: AudioCodecContext) -> str:
    """Return the encoder for a track: of its own kind where FFmpeg has one, else AAC."""
    name = source.codec.canonical_name
    name = ENCODERS.get(name, name)
    try:
        Codec(name, "w")
    except UnknownCodecError:
        return "aac"
    return name


def _tone(numbers: NDArray[np.int64], rate: int) -> NDArray[np.float64]:
    """Return the samples of these numbers of an endless tone."""
    values: NDArray[np.float64] = TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ / rate * numbers)
    return values


def _as_samples(values: NDArray[np.float64], kind: np.dtype[Any]) -> NDArray[Any]:
    """Return values of -1..1 as samples of a kind."""
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    middle = 0 if limits.min else 128
    return (middle + values * (limits.max - middle)).astype(kind)
