"""Videos of all kinds, and a detector that sees what a test wants: times, sound and size as they were."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest
from av import VideoFrame
from numpy.typing import NDArray

from obscura.contract import Audio
from obscura.detection.detections import Detection, DetectionOptions
from obscura.detection.tiling import Quality
from obscura.errors import (
    EmptyPhotoError,
    InvalidOptionError,
    MaskDoesNotFitError,
    PhotoError,
    TooManyPixelsError,
    UndecodablePhotoError,
    UnsupportedCodecError,
    VideoTooLongError,
    WeakerThanPolicyError,
)
from obscura.geometry import Box
from obscura.redaction.privacy_masks import PrivacyMask
from obscura.video.redact import VideoReport, VideoRequest, redact_video
from obscura.video.source import VideoLimits
from tests import videos

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

    from obscura.detection.detector import Detector

FACE = Box(40, 30, 80, 70)
FRAMES = 12


@dataclass
class Planted:
    """A detector that sees one face in the frames that it is told."""

    sees: Callable[[int], bool]
    score: float = 0.5
    card: Any = field(default_factory=lambda: SimpleNamespace(class_name="face", min_confidence=0.3))
    frame: int = -1

    def detect(self, _pixels: object, _options: object) -> list[Detection]:
        """Look at the next frame."""
        self.frame += 1
        return [Detection("face", FACE, self.score)] if self.sees(self.frame) else []


@dataclass(frozen=True)
class Clip:
    """What a video is like."""

    name: str
    size: tuple[int, int] = (160, 120)
    codec: str = "libx264"
    pixels: str = "yuv420p"
    voices: int = 0
    uneven: bool = False
    options: dict[str, str] = field(default_factory=dict)


def make(folder: Path, clip: Clip, frames: int = FRAMES, cut_at: int | None = None) -> Path:
    """Write a clip: a pattern that moves, and another one from ``cut_at`` on."""
    width, height = clip.size
    tiles = np.random.default_rng(1).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    pattern = np.kron(tiles, np.ones((8, 8, 1), np.uint8))[:height, :width]
    path = folder / clip.name
    with av.open(str(path), "w") as output:
        video = cast("VideoStream", output.add_stream(clip.codec, rate=25, options=clip.options))
        video.width, video.height, video.pix_fmt = width, height, clip.pixels
        sound = "pcm_s16le" if path.suffix == ".mov" else "aac"
        voices = [
            cast("AudioStream", output.add_stream(sound, rate=48_000, layout="mono"))
            for _ in range(clip.voices)
        ]
        if clip.uneven:
            video.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            is_other = cut_at is not None and number >= cut_at
            shown = 255 - np.roll(pattern, (37, 51), (0, 1)) if is_other else np.roll(pattern, number, 1)
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(shown), "rgb24")
            if clip.uneven:
                frame.pts, frame.time_base = number * 40 + 17 * (number % 3), Fraction(1, 1000)
            output.mux(video.encode(frame))
            for place, voice in enumerate(voices):
                output.mux(voice.encode(tone(number, place + 1)))
        output.mux(video.encode(None))
        for voice in voices:
            output.mux(voice.encode(None))
    return path


def tone(number: int, pitch: int) -> av.AudioFrame:
    """Return the sound beside a frame."""
    wave = (3000 * np.sin(np.arange(1920) * pitch * 0.05)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.rate, frame.pts = 48_000, number * 1920
    return frame


def times(path: Path) -> list[float]:
    """Return when each picture is shown, from the first on."""
    with av.open(str(path)) as container:
        shown = [frame.time or 0.0 for frame in container.decode(video=0)]
    return [time - shown[0] for time in shown]


def voices(path: Path) -> list[bytes]:
    """Return the bytes of each track of sound."""
    with av.open(str(path)) as container:
        found: dict[int, bytes] = {stream.index: b"" for stream in container.streams.audio}
        for packet in container.demux(*container.streams.audio) if found else ():
            found[packet.stream.index] += bytes(packet)
    return list(found.values())


def sounds(path: Path) -> list[NDArray[np.float32]]:
    """Return the samples of each track of one channel, -1 to 1."""
    found = []
    with av.open(str(path)) as container:
        for stream in container.streams.audio:
            container.seek(0)
            resampler = av.AudioResampler("fltp", "mono", 48_000)
            frames = [part for frame in container.decode(stream) for part in resampler.resample(frame)]
            found.append(np.concatenate([frame.to_ndarray()[0] for frame in frames]))
    return found


def pitch(sound: NDArray[np.float32], start: float, end: float, hertz: float) -> float:
    """Return the amplitude of a pitch in a part of a sound."""
    times = np.arange(round(start * 48_000), round(end * 48_000))
    part = sound[times] * np.hanning(len(times)) * 4 / len(times)
    return float(abs(np.sum(part * np.exp(-2j * np.pi * hertz * times / 48_000))))


def hide(
    source: Path, target: Path, sees: Callable[[int], bool] = lambda _: True, **options: Any
) -> VideoReport:
    """Hide what a planted detector sees."""
    detector = cast("Detector", Planted(sees))
    return redact_video(source, target, [detector], VideoRequest(**options))


@pytest.mark.parametrize(
    ("clip", "size"),
    [
        (Clip("uneven.mp4", uneven=True), (160, 120)),
        (Clip("uneven.mkv", uneven=True), (160, 120)),
        (Clip("b_frames.mp4", options={"bf": "3"}), (160, 120)),
        (Clip("two_voices.mp4", voices=2), (160, 120)),
        (Clip("two_voices.mkv", voices=2), (160, 120)),
        (Clip("odd.webm", (161, 121), "libvpx-vp9"), (161, 121)),
        (Clip("odd.mkv", (161, 121), "libvpx-vp9"), (162, 122)),
        (Clip("old.avi", codec="mpeg4"), (160, 120)),
        (Clip("studio.mov", codec="prores_ks", pixels="yuv422p10le", voices=1), (160, 120)),
        (Clip("deep.mkv", codec="ffv1", pixels="yuv420p12le"), (160, 120)),
        (Clip("see_through.mkv", codec="ffv1", pixels="yuva420p"), (160, 120)),
        (Clip("grey.mkv", codec="ffv1", pixels="gray"), (160, 120)),
    ],
    ids=lambda value: value.name if isinstance(value, Clip) else "",
)
def test_times_and_sound_are_as_they_were(tmp_path: Path, clip: Clip, size: tuple[int, int]) -> None:
    """Whatever the container, the coding, the rhythm, the number of voices."""
    source = make(tmp_path, clip)
    target = tmp_path / f"out_{clip.name}"
    report = hide(source, target)
    assert report.hidden_frames == report.frames == FRAMES
    assert times(target) == pytest.approx(times(source), abs=1e-4)
    assert voices(target) == voices(source)
    assert len(report.audio) == clip.voices
    assert len(report.warnings) == (size != clip.size)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == size


def test_sound_can_be_left_out(tmp_path: Path) -> None:
    """No track stays, and the report says so."""
    report = hide(
        make(tmp_path, Clip("a.mp4", voices=1)), tmp_path / "b.mp4", lambda _: True, audio=Audio.DROP
    )
    assert voices(tmp_path / "b.mp4") == []
    assert "audio stream" in report.removed


@pytest.mark.parametrize("clip", [Clip(f"a.{suffix}", voices=2) for suffix in ("mp4", "mov", "mkv")], ids=str)
def test_a_tone_covers_given_times(tmp_path: Path, clip: Clip) -> None:
    """In every track; nothing of the voice sounds in them, and all the rest is as it was."""
    source, target = make(tmp_path, clip, frames=50), tmp_path / f"b_{clip.name}"
    report = hide(source, target, audio=Audio.BEEP, beep=((0.5, 0.9), (1.4, 1.6)))
    assert report.as_dict()["beeped"] == [[0.5, 0.9], [1.4, 1.6]]
    for number, (before, after) in enumerate(zip(sounds(source), sounds(target), strict=True)):
        assert after.shape == before.shape
        own = 48_000 * (number + 1) * 0.05 / (2 * np.pi)
        for start, end in report.beeped:
            assert pitch(after, start, end, own) < 0.02 * pitch(before, start, end, own)
            assert pitch(after, start, end, 1000) == pytest.approx(0.1, rel=0.1)
        # AAC changes in whole packets, each of which sounds together with its neighbours.
        margin = 0.002 if clip.name.endswith("mov") else 4 * 1024 / 48_000
        for start, end in ((0.0, 0.5 - margin), (0.9 + margin, 1.4 - margin), (1.6 + margin, 2.0)):
            heard = slice(round(start * 48_000), round(end * 48_000))
            # Noise that the AAC decoder makes itself is other noise each time.
            assert np.allclose(before[heard], after[heard], atol=5e-3)


def test_packets_without_a_tone_are_copied(tmp_path: Path) -> None:
    """Of AAC those that sound in the span are replaced, at their times; no other changes by a byte."""
    source, target = make(tmp_path, Clip("a.mp4", voices=1), frames=50), tmp_path / "b.mp4"
    hide(source, target, audio=Audio.BEEP, beep=((0.5, 0.9),))
    before, after = videos.sound_packets(source), videos.sound_packets(target)
    assert [time for time, _ in before] == [time for time, _ in after]
    changed = [old[0] for old, new in zip(before, after, strict=True) if old != new]
    # Half a second is in the packet that begins at sample 23,552; the one before sounds in it, too.
    assert changed == list(range(22_528, round(0.9 * 48_000), 1024))


def test_a_track_that_cannot_be_cut_is_encoded_again(tmp_path: Path) -> None:
    """Opus: the tone is in it, the rest sounds as before, and the report says that it was encoded again."""
    source, target = videos.make(tmp_path / "a.webm"), tmp_path / "b.webm"
    report = hide(source, target, audio=Audio.BEEP, beep=((0.5, 1.0),))
    assert [text for text in report.warnings if "encoded again" in text]
    (before,), (after,) = sounds(source), sounds(target)
    assert pitch(after, 0.5, 1.0, 440) < 0.02 * pitch(before, 0.5, 1.0, 440)
    assert pitch(after, 1.1, 1.9, 440) == pytest.approx(pitch(before, 1.1, 1.9, 440), rel=0.05)


def test_a_tone_after_the_end_is_refused(tmp_path: Path) -> None:
    """A span that covers nothing is a mistake, told before anything is detected."""
    with pytest.raises(InvalidOptionError, match=r"beep: 3-4 begins after the end of the video, 0\.48 s"):
        hide(make(tmp_path, Clip("a.mp4")), tmp_path / "b.mp4", audio=Audio.BEEP, beep=((3, 4),))
    assert not (tmp_path / "b.mp4").exists()


def test_a_face_that_is_seen_now_and_then_stays_hidden(tmp_path: Path) -> None:
    """Found in five of sixty frames: hidden between them, and before the first and after the last."""
    source = make(tmp_path, Clip("a.mp4"), frames=60)
    report = hide(source, tmp_path / "b.mp4", lambda number: number in {10, 25, 26, 48, 50})
    assert report.tracks == {"face": 1}
    assert report.hidden_frames == 60


def test_one_weak_find_in_one_frame_is_hidden(tmp_path: Path) -> None:
    """Of just the score that a photo's find needs, which a moment before and after nothing shows."""
    source, target = make(tmp_path, Clip("a.mp4"), frames=60), tmp_path / "b.mp4"

    def hidden(score: float, quality: Quality = Quality.BALANCED) -> VideoReport:
        detector = cast("Detector", Planted(lambda number: number == 30, score))
        return redact_video(source, target, [detector], VideoRequest(detection=DetectionOptions(quality)))

    assert hidden(0.29).hidden_frames == 0
    # Thorough asks for half of it, in videos as in photos.
    assert hidden(0.15, Quality.THOROUGH).tracks == {"face": 1}
    # Half a second at 25 frames a second before it, and after it.
    report = hidden(0.3)
    assert (report.tracks, report.hidden_frames) == ({"face": 1}, 25)
    before, after = (pictures(path)[30][30:70, 40:80] for path in (source, target))
    assert np.abs(before - after).mean() > 20


def pictures(path: Path) -> list[np.ndarray[Any, Any]]:
    """Return all frames of a video in grey."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]


def test_a_mask_hides_its_part_of_every_frame(tmp_path: Path) -> None:
    """The lowest quarter is flat in all frames, and the rest as it was, found or not."""
    drawn = np.zeros((12, 16), np.bool_)
    drawn[9:] = True
    source, target = make(tmp_path, Clip("a.mp4")), tmp_path / "b.mp4"
    report = hide(source, target, lambda _: False, mask=PrivacyMask(drawn))
    assert (report.hidden_frames, report.tracks) == (FRAMES, {})
    for before, after in zip(pictures(source), pictures(target), strict=True):
        assert after[96:].std() < 6 < before[96:].std()
        assert np.abs(after[:72] - before[:72]).mean() < 6


def test_a_zone_spares_what_lies_wholly_inside_it(tmp_path: Path) -> None:
    """One that sticks out is hidden in all frames; zones too large and masks of another shape are refused."""
    source, target = make(tmp_path, Clip("a.mp4")), tmp_path / "b.mp4"
    assert hide(source, target, keep=(Box(30, 20, 90, 80),)).hidden_frames == 0
    assert hide(source, target, keep=(Box(45, 20, 90, 80),)).hidden_frames == FRAMES
    target.unlink()
    with pytest.raises(WeakerThanPolicyError):
        hide(source, target, keep=(Box(0, 0, 160, 120),))
    with pytest.raises(MaskDoesNotFitError):
        hide(source, target, mask=PrivacyMask(np.ones((16, 16), np.bool_)))
    assert not target.exists()


def test_nothing_is_smeared_over_the_next_scene(tmp_path: Path) -> None:
    """A face is held after it was last seen and before it was first, but never in another picture."""
    source = make(tmp_path, Clip("a.mp4"), frames=40, cut_at=20)
    assert hide(source, tmp_path / "b.mp4", lambda number: number < 20).hidden_frames == 20
    assert hide(source, tmp_path / "c.mp4", lambda number: number >= 20).hidden_frames == 20
    still = make(tmp_path, Clip("still.mp4"), frames=40)
    assert hide(still, tmp_path / "d.mp4", lambda number: number < 20).hidden_frames > 20


def test_what_a_container_says_is_held_against_what_it_holds(tmp_path: Path) -> None:
    """Limits of frames, seconds and pixels, codings that are not accepted, nothing, half of a file."""
    source = make(tmp_path, Clip("a.mp4"))
    target = tmp_path / "b.mp4"
    cases: list[tuple[VideoLimits, type[PhotoError]]] = [
        (VideoLimits(max_frames=FRAMES - 1), VideoTooLongError),
        (VideoLimits(max_seconds=0.2), VideoTooLongError),
        (VideoLimits(max_side=100), TooManyPixelsError),
    ]
    for limits, error in cases:
        with pytest.raises(error):
            hide(source, target, limits=limits)
    with pytest.raises(UnsupportedCodecError):
        hide(make(tmp_path, Clip("c.avi", codec="huffyuv", pixels="yuv422p")), tmp_path / "c_out.avi")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(EmptyPhotoError):
        hide(empty, target)
    half = tmp_path / "half.mp4"
    half.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(UndecodablePhotoError):
        hide(half, target)
    assert not target.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_damage_on_the_way_costs_only_what_is_damaged(tmp_path: Path) -> None:
    """What can be decoded is hidden in and written."""
    data = bytearray(make(tmp_path, Clip("a.mkv", options={"g": "4"}), frames=30).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 500] = bytes(500)
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(data)
    report = hide(damaged, tmp_path / "b.mkv")
    assert 5 < report.frames == report.hidden_frames < 30
