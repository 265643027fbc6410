"""Cost by the content of a photo, compared with other tools in one process, photo by photo in turns.

``python -m benchmarks.scenes --folder RESULTS`` hides faces (obscura: and plates, with all its checks) in
photos without any face, portraits, crowds and a mix of the validation photos, brought to several sizes, and
then in a street with 0 to 100 faces pasted into it. It prints one JSON object per line and draws what it
measured into the folder. Run it under ``taskset -c 0``: every tool then has one thread, and only CPU time is
measured.
"""

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np
from PIL import Image

from benchmarks.curves import curves
from benchmarks.draw import bars
from benchmarks.material import QUALITY, ROOT, material
from benchmarks.peers.deface_blur import DefaceBlur
from benchmarks.peers.seed_shape import KERNEL, SIGMA, SeedShape, fixed_network
from obscura.cli.files import Targets
from obscura.cli.in_process import Blurrer, Finder
from obscura.cli.options import HideOptions
from obscura.contract import JobOptions, MetadataPolicy, ObjectClass, OutputFormat, Quality
from obscura.detection.loading import load_in_background
from obscura.settings import Settings
from training.paths import shared_folder
from training.peers import Yunet

Blur: TypeAlias = Callable[[bytes], object]

COUNTS: Final = (0, 1, 2, 5, 10, 20, 50, 100)
"""Faces in the composed photos."""

FACE_SIDE: Final = 56
"""Pixels of a pasted head."""

STREET: Final = 1600
LARGE_FACE: Final = 0.15
"""Share of the photo's longer side from which a single face makes a portrait."""

CROWD: Final = 10


def kinds() -> dict[str, list[Path]]:
    """Return validation photos by what they show; those of plates are in the mix only."""
    every = list(material().photos)
    found: dict[str, list[Path]] = {"nobody": [], "portrait": [], "crowd": [], "mixed": every}
    for path in every:
        label = Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt")
        if "faces" not in path.parts or not label.is_file():
            continue
        sides = [
            max(map(float, line.split()[3:5])) for line in label.read_text().splitlines() if line.strip()
        ]
        if not sides:
            found["nobody"].append(path)
        elif len(sides) == 1 and sides[0] >= LARGE_FACE:
            found["portrait"].append(path)
        elif len(sides) >= CROWD:
            found["crowd"].append(path)
    return found


def as_jpeg(picture: Image.Image, side: int) -> bytes:
    """Return a picture as a JPEG whose longer side has ``side`` pixels."""
    scale = side / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    sink = io.BytesIO()
    picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(sink, "JPEG", quality=QUALITY)
    return sink.getvalue()


def with_faces(street: Image.Image, count: int) -> bytes:
    """Return a street with so many heads pasted into it in rows, as a JPEG."""
    with Image.open(ROOT / "examples" / "portrait.jpg") as photo:
        head = photo.convert("RGB").crop((160, 20, 360, 220)).resize((FACE_SIDE, FACE_SIDE))
    canvas = street.convert("RGB").resize((STREET, STREET * 3 // 4))
    columns = STREET // (FACE_SIDE * 2)
    for number in range(count):
        row, column = divmod(number, columns)
        canvas.paste(
            head, (column * FACE_SIDE * 2 + FACE_SIDE // 2, row * FACE_SIDE * 3 // 2 + FACE_SIDE // 2)
        )
    return as_jpeg(canvas, STREET)


def _obscura(quality: Quality) -> Blur:
    settings = Settings(threads=1, decode_kill_s=0)
    detectors = load_in_background(settings, tuple(ObjectClass))
    hide = HideOptions(None, None, None, None, None, MetadataPolicy.STRIP, OutputFormat.SAME)
    return Blurrer(Finder(settings, detectors, JobOptions(quality=quality)), hide, Targets(Path(), ())).redact


def _yunet() -> Blur:
    network = Yunet(shared_folder() / "weights" / "yunet_n_dynamic.onnx")

    def blur(data: bytes) -> bytes:
        pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
        boxes, _ = network.detect(pixels, network.default_score)
        for x1, y1, x2, y2 in boxes.astype(int).tolist():
            part = pixels[y1:y2, x1:x2]
            if part.size:
                pixels[y1:y2, x1:x2] = cv2.GaussianBlur(part, KERNEL, SIGMA)
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes())

    return blur


def tools(folder: Path) -> dict[str, Blur]:
    """Return what is compared; each works on the bytes of a photo."""
    cv2.setNumThreads(1)
    return {
        "obscura": _obscura(Quality.BALANCED),
        "obscura rapid": _obscura(Quality.RAPID),
        "deface": DefaceBlur().blur,
        "legacy design": SeedShape(fixed_network(folder), 1).blur,
        "YuNet-n (onnxruntime)": _yunet(),
    }


def spent_ms(blurs: Mapping[str, Blur], photos: Sequence[bytes], rounds: int) -> dict[str, float]:
    """Return the mean CPU milliseconds of each tool per photo, the least of ``rounds`` for each photo."""
    total = dict.fromkeys(blurs, 0.0)
    for photo in photos:
        least = dict.fromkeys(blurs, float("inf"))
        for turn in range(rounds + 1):
            for name, blur in blurs.items():
                started = time.process_time()
                blur(photo)
                # The first turn prepares engines for the size.
                if turn:
                    least[name] = min(least[name], (time.process_time() - started) * 1000)
        for name, value in least.items():
            total[name] += value
    return {name: round(value / len(photos), 1) for name, value in total.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and draw the costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenes", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where pictures go")
    parser.add_argument("--photos", type=int, default=6, help="of each kind")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sides", type=int, nargs="*", default=(640, 1600, 4000))
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS, help="faces in the composed photos")
    chosen = parser.parse_args(arguments)
    found = kinds()
    rows: list[tuple[str, float]] = []
    points: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        blurs = tools(Path(folder))
        for side in chosen.sides:
            for kind, paths in found.items():
                every = paths[:: max(1, len(paths) // chosen.photos)][: chosen.photos]
                costs = spent_ms(blurs, [as_jpeg(Image.open(path), side) for path in every], chosen.rounds)
                print(
                    json.dumps({"side": side, "kind": kind, "photos": len(every), "cpu_ms": costs}),
                    flush=True,
                )
                rows += [(f"{kind}, {side} px: {name}", value) for name, value in costs.items()]
        for count in chosen.counts:
            costs = spent_ms(blurs, [with_faces(Image.open(found["nobody"][0]), count)], chosen.rounds)
            print(json.dumps({"faces": count, "cpu_ms": costs}), flush=True)
            for name, value in costs.items():
                points.setdefault(name, []).append((count, value))
    if rows:
        picture = bars("CPU time of a photo, one thread", "ms", rows)
        (chosen.folder / "cost_by_scene.svg").write_text(picture, encoding="utf-8")
    if points:
        picture = curves("CPU time of a photo against the faces in it", "ms", f"faces in {STREET} px", points)
        (chosen.folder / "cost_by_faces.svg").write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
