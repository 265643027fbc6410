"""Redact a composed video of 20 seconds on the command line or a running system, and measure it.

``python -m benchmarks.video [--server URL]``. Five scenes, each a window that pans and zooms over a photo,
with cuts in between, B-frames and a tone. It reports how often a face that was detected in a frame, or in one
beside it, is visible in the result (detection at a lower threshold on every frame of both, compared
by pixels), whether the sound is the same, and the memory over time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.material import material
from obscura.contract import ObjectClass, Quality
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.loading import load_for
from obscura.geometry import Box, Size
from obscura.settings import Settings

SIZE: Final = (640, 360)
RATE: Final = 25
SECONDS: Final = 20
SCENES: Final = 5
SAMPLES: Final = 44_100
SHARE: Final = 0.7
UNCHANGED: Final = 8.0
"""Mean difference, in levels, under which a place is as it was: what encoding alone changes is below 4."""

Pixels: TypeAlias = NDArray[np.uint8]


def shots(photos: Sequence[Path], frames: int) -> Iterator[Pixels]:
    """Yield the pictures: a window over each photo that moves, nears and goes away."""
    width, height = SIZE
    each = frames // len(photos)
    for path in photos:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        for number in range(each):
            share = number / each
            zoom = 1.15 + 0.35 * np.sin(2 * np.pi * share) ** 2
            scale = max(width / photo.width, height / photo.height) * zoom
            wide = (width / scale, height / scale)
            left = (photo.width - wide[0]) * share
            top = (photo.height - wide[1]) * (0.3 + 0.3 * np.sin(5 * share))
            window = (left, top, left + wide[0], top + wide[1])
            yield np.asarray(photo.resize(SIZE, Image.Resampling.BILINEAR, window))


def compose(path: Path, photos: Sequence[Path], seconds: int = SECONDS) -> Path:
    """Write the video."""
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "PRIVATE"
        video = output.add_stream("libx264", rate=RATE, options={"crf": "20", "bf": "3"})
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        audio = output.add_stream("aac", rate=SAMPLES, layout="mono")
        count = SAMPLES // RATE
        for number, pixels in enumerate(shots(photos, seconds * RATE)):
            output.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            times = (np.arange(count) + number * count) / SAMPLES
            tone = (6000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)[None]
            sound = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            sound.rate, sound.pts = SAMPLES, number * count
            output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    return path


def frames_of(path: Path) -> Iterator[Pixels]:
    """Yield the pictures of a video."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def sound_of(path: Path) -> list[tuple[int | None, bytes]]:
    """Return time and bytes of every packet of sound."""
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.dts is not None]


def look(detector: Detector, pixels: Pixels) -> list[Box]:
    """Return the faces of one picture, at a lower threshold than the redaction's own."""
    options = DetectionOptions(Quality.BALANCED, detector.card.min_confidence * SHARE, is_finished=True)
    found = detector.detect(pixels, options)
    return [item.box.clip(Size(pixels.shape[1], pixels.shape[0])) for item in found]


def visible(source: Path, result: Path, detector: Detector) -> dict[str, Any]:
    """Return the number of frames with a visible face that was detected there, or a frame before or after."""
    before = list(frames_of(source))
    after = list(frames_of(result))
    found = [look(detector, pixels) for pixels in before]
    bad: list[int] = []
    left = 0
    for number, shown in enumerate(after):
        near = list(chain.from_iterable(found[max(0, number - 1) : number + 2]))
        seen = [box for box in look(detector, shown) if _is_unchanged(before[number], shown, box)]
        left += len(seen)
        places = [box for box in found[number] if _is_unchanged(before[number], shown, box)]
        if places or any(box.iou(other) > 0.3 for box in seen for other in near):  # noqa: PLR2004 - the same face
            bad.append(number)
    return {
        "frames": (len(before), len(after)),
        "faces_found_in_source": sum(map(len, found)),
        "faces_unchanged_in_result": left,
        "frames_with_a_visible_face": bad,
    }


def _is_unchanged(one: Pixels, other: Pixels, box: Box) -> bool:
    x1, y1, x2, y2 = box.outward().rounded()
    parts = [pixels[y1:y2, x1:x2].astype(np.float32) for pixels in (one, other)]
    return bool(parts[0].size) and float(np.abs(parts[0] - parts[1]).mean()) < UNCHANGED


def watched(command: Sequence[str]) -> tuple[str, list[int]]:
    """Run a command; return what it printed, and its memory in MiB twice a second."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    memory: list[int] = []

    def sample() -> None:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
                memory.append(int(status.split("VmRSS:")[1].split()[0]) >> 10)
            except (OSError, IndexError):
                return
            time.sleep(0.5)

    sampler = threading.Thread(target=sample)
    sampler.start()
    printed, _ = process.communicate()
    sampler.join()
    return printed, memory


def main() -> int:
    """Compose, redact, detect again, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="address of a running system that does the work")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--keep", type=Path, help="folder that keeps both videos")
    chosen = parser.parse_args()
    photos = [path for path in material().photos if "plates" not in path.parts][3::23][:SCENES]
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        source = compose(folder / "source.mp4", photos, chosen.seconds)
        command = [sys.executable, "-m", "obscura.cli", "blur", str(source), "-o", str(folder / "hidden")]
        command += ["--classes", "face", "--json", *(["--server", chosen.server] if chosen.server else [])]
        printed, memory = watched(command)
        result = folder / "hidden" / "source.mp4"
        detector = load_for(Settings(), ObjectClass.FACE, 2)
        report = {
            "done": json.loads(printed),
            "sound_is_the_same": sound_of(source) == sound_of(result),
            **visible(source, result, detector),
            "memory_mib": memory[:: max(1, len(memory) // 20)],
        }
    print(json.dumps(report, indent=1))
    return 0 if not report["frames_with_a_visible_face"] and report["sound_is_the_same"] else 1


if __name__ == "__main__":
    sys.exit(main())
