"""Cost of detection by the content of a photo, compared with non-adaptive `balanced`.

``python -m benchmarks.effort`` measures CPU milliseconds a photo of both classes' detectors in this process
(OpenVINO where it is installed, one thread, one letterbox for both), each photo by each quality in turn, and
then the cost against the number of faces that were pasted into an empty street. One JSON object per line.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.material import ROOT, Material, material
from obscura.contract import ObjectClass, Quality
from obscura.detection.arrays import Pixels
from obscura.detection.detector import DetectionOptions, Detector
from obscura.detection.inputs import Inputs
from obscura.detection.loading import load_all
from obscura.settings import Settings

COUNTS: Final = (0, 1, 2, 5, 10, 20, 50, 100)
"""Faces in the composed photos."""

FACE_SIDE: Final = 56
"""Pixels of a pasted head."""

Looked = Sequence[Detector]


def spent_ms(detectors: Looked, pixels: Pixels, quality: Quality) -> float:
    """Return the CPU milliseconds of all detectors over one photo: the better of two."""
    least = float("inf")
    for _ in range(2):
        options = DetectionOptions(quality, inputs=Inputs(pixels))
        started = time.process_time()
        for detector in detectors:
            detector.detect(pixels, options)
        least = min(least, (time.process_time() - started) * 1000.0)
    return least


def brought_to(path: Path, side: int) -> Pixels:
    """Return a photo, its longer side brought to ``side`` pixels."""
    with Image.open(path) as photo:
        picture = photo.convert("RGB")
    scale = side / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return np.ascontiguousarray(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))


def crowds(side: int) -> Iterator[tuple[int, Pixels]]:
    """Yield numbers of faces and photos ``side`` pixels wide with so many of them on a plain ground."""
    with Image.open(ROOT / "examples" / "portrait.jpg") as photo:
        head = photo.convert("RGB").crop((160, 20, 360, 220)).resize((FACE_SIDE, FACE_SIDE))
    columns = side // (FACE_SIDE + 8)
    for count in COUNTS:
        canvas = Image.new("RGB", (side, side * 3 // 4), (96, 104, 96))
        for number in range(count):
            row, column = divmod(number, columns)
            canvas.paste(head, (column * (FACE_SIDE + 8), row * (FACE_SIDE + 8)))
        yield count, np.ascontiguousarray(np.asarray(canvas))


def photo_costs(
    variants: Mapping[str, tuple[Looked, Quality]], source: Material, count: int, side: int
) -> None:
    """Print the mean cost of each variant over the same photos."""
    chosen = source.photos[:: max(1, len(source.photos) // count)][:count]
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for path in chosen:
        pixels = brought_to(path, side)
        for name, (detectors, quality) in variants.items():
            spent[name].append(spent_ms(detectors, pixels, quality))
    for name, values in spent.items():
        about = {"side": side, "photos": len(values), "of": source.source, "detection": name}
        quartiles = [round(float(value), 1) for value in np.quantile(values, (0.1, 0.5, 0.9))]
        print(
            json.dumps({**about, "cpu_ms": round(float(np.mean(values)), 1), "p10_50_90": quartiles}),
            flush=True,
        )


def main() -> int:
    """Print the costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.effort", description=__doc__)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--sides", type=int, nargs="+", default=(640, 1600))
    chosen = parser.parse_args()
    detectors = tuple(load_all(Settings(), tuple(ObjectClass), 1).values())
    # Without a proposal network `balanced` makes all passes by each class's own network, as it once did.
    alone = tuple(Detector(item.card, item._session) for item in detectors)  # noqa: SLF001 - shares the weights
    variants = {
        "rapid": (detectors, Quality.RAPID),
        "fast": (detectors, Quality.FAST),
        "balanced": (detectors, Quality.BALANCED),
        "all passes of balanced": (alone, Quality.BALANCED),
    }
    for side in chosen.sides:
        photo_costs(variants, material(), chosen.photos, side)
    for faces, pixels in crowds(1280):
        costs = {name: round(spent_ms(which[0], pixels, which[1]), 1) for name, which in variants.items()}
        print(json.dumps({"faces": faces, "cpu_ms": costs}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
