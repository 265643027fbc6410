"""Videos that tests make: the portrait passing by, with a tone."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from PIL import Image

from tests import photos

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

RATE = 10
SIZE = (320, 240)
FACE_SIZE = 120


def frame_at(share: float, *, blank: bool = False) -> Image.Image:
    """Return the upright frame at ``share`` (0..1) of the video: the portrait crossing a grey room."""
    canvas = Image.new("RGB", SIZE, (120, 130, 140))
    if not blank:
        canvas.paste(_person(), (round(10 + 150 * share), 40))
    return canvas


def face_at(share: float) -> tuple[int, int, int, int]:
    """Return where the face is in the upright frame."""
    left = round(10 + 150 * share)
    scale = FACE_SIZE / 300
    x1, y1, x2, y2 = photos.FACE
    return (
        left + round((x1 - 90) * scale),
        40 + round((y1 - 20) * scale),
        left + round((x2 - 90) * scale),
        40 + round((y2 - 20) * scale),
    )


@cache
def _person() -> Image.Image:
    return photos.portrait().crop((90, 20, 390, 320)).resize((FACE_SIZE, FACE_SIZE), Image.Resampling.LANCZOS)


def make(  # noqa: PLR0913 - each says another thing of the clip
    path: Path,
    *,
    frames: int = 20,
    rotation: int = 0,
    blank: tuple[int, ...] = (),
    pixels: str = "yuv420p",
    sound: bool = True,
) -> Path:
    """Write a video with a face in every frame but those in ``blank``, a title, a place and mostly a tone.

    ``rotation`` is what a player turns the stored frames by, in degrees against the clock.
    """
    codec, voice = ("libvpx-vp9", "libopus") if path.suffix == ".webm" else ("libx264", "aac")
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "PRIVATE MARKER"
        output.metadata["location"] = "+48.1000+011.5000/"
        video = cast("VideoStream", output.add_stream(codec, rate=RATE))
        video.width, video.height = SIZE if rotation % 180 == 0 else SIZE[::-1]
        video.pix_fmt = pixels
        if rotation:
            video.set_display_rotation(rotation)
        if sound:
            audio = cast("AudioStream", output.add_stream(voice, rate=48_000, layout="mono"))
        for number in range(frames):
            picture = np.asarray(frame_at(number / frames, blank=number in blank))
            stored = np.ascontiguousarray(np.rot90(picture, -rotation // 90))
            output.mux(video.encode(av.VideoFrame.from_ndarray(stored, "rgb24")))
            if sound:
                output.mux(audio.encode(_tone(number)))
        output.mux(video.encode(None))
        if sound:
            output.mux(audio.encode(None))
    return path


def _tone(number: int) -> av.AudioFrame:
    count = 48_000 // RATE
    times = (np.arange(count) + number * count) / 48_000
    samples = (0.2 * np.sin(2 * np.pi * 440 * times) * 32_767).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.rate = 48_000
    frame.pts = number * count
    return frame


def upright_frames(path: Path) -> list[Image.Image]:
    """Return the frames of a video as a player shows them."""
    with av.open(str(path)) as container:
        return [
            Image.fromarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
            for frame in container.decode(video=0)
        ]


def sound_packets(path: Path) -> list[tuple[int | None, bytes]]:
    """Return time and bytes of every packet of sound."""
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.dts is not None]
