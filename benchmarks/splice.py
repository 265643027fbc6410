"""Cost of the lossless splice beside decoding, blurring and encoding the same photo.

``python -m benchmarks.splice`` composes a 12-megapixel photo of real ones, hides three faces in every
way, and prints medians of CPU time. All ways take turns in one run and one thread, so that a
busy machine slows all of them alike; what counts is the ratio.
"""

import argparse
import io
import json
import os
import statistics
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from obscura.geometry import Box
from obscura.jpeg.splice import available_engines, splice
from obscura.redaction.regions import Region
from obscura.redaction.styles import RegionShape, Soft

WIDTH: Final = 4000
HEIGHT: Final = 3000
TILE: Final = (800, 600)
QUALITY: Final = 92
FACES: Final = ((500, 400, 700, 660), (1800, 700, 1980, 930), (3000, 1500, 3210, 1760))
KERNEL: Final = (99, 99)
SIGMA: Final = 30
"""The legacy system's blur."""

MOST_COST: Final = 0.60
"""Share of the cheapest re-encode of the same kind that a splice may cost."""

MOST_GROWTH: Final = 0.02
"""Share by which a spliced file may differ from the photo in length."""

SPLICE: Final = "lossless splice"
Way = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One way: median CPU milliseconds, its share of the cheapest re-encode, and the length of its file."""

    kind: str
    way: str
    cpu_ms: float
    share: float
    length: float


def photo(*, is_progressive: bool) -> bytes:
    """Return a JPEG of 4000 x 3000 pixels, laid out of real photos at their own resolution."""
    canvas, tiles = Image.new("RGB", (WIDTH, HEIGHT)), _tiles()
    across = WIDTH // TILE[0]
    for place in range(across * (HEIGHT // TILE[1])):
        at = (place % across * TILE[0], place // across * TILE[1])
        canvas.paste(tiles[place % len(tiles)], at)
    sink = io.BytesIO()
    canvas.save(sink, "JPEG", quality=QUALITY, subsampling=2, progressive=is_progressive)
    return sink.getvalue()


def _tiles() -> list[Image.Image]:
    """Return real photos of one size: of the shared material, else the portrait that comes along."""
    pack = Path(os.environ.get("OBSCURA_SHARED", "../shared")) / "data" / "photo_pairs.tar"
    if pack.is_file():
        with tarfile.open(pack) as archive:
            names = sorted(item.name for item in archive if item.name.endswith(".jpg"))
            files = [archive.extractfile(name) for name in names]
            photos = [Image.open(io.BytesIO(file.read())).convert("RGB") for file in files if file]
        large = [
            item.crop((0, 0, *TILE)) for item in photos if item.width >= TILE[0] and item.height >= TILE[1]
        ]
        if large:
            return large
    portrait = Image.open(Path(__file__).parents[1] / "examples" / "portrait.jpg").convert("RGB")
    return [ImageOps.fit(portrait, TILE)]


def by_splice(jpeg: bytes) -> bytes:
    """Hide the faces in place."""
    regions = [Region(Box(*map(float, face)), Soft(), RegionShape.SUPERELLIPSE) for face in FACES]
    return splice(jpeg, regions).data


def by_cv2(jpeg: bytes, *, is_progressive: bool = False) -> bytes:
    """Do what the legacy system does: decode, blur, encode, with OpenCV."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        message = "OpenCV cannot read the photo"
        raise ValueError(message)
    for x1, y1, x2, y2 in FACES:
        pixels[y1:y2, x1:x2] = cv2.GaussianBlur(pixels[y1:y2, x1:x2], KERNEL, SIGMA)
    settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE, int(is_progressive)]
    return cv2.imencode(".jpg", pixels, settings)[1].tobytes()


def by_pillow(jpeg: bytes, *, is_progressive: bool = False) -> bytes:
    """Do the same with Pillow."""
    sink = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        for face in FACES:
            image.paste(image.crop(face).filter(ImageFilter.GaussianBlur(SIGMA)), face[:2])
        image.save(sink, "JPEG", quality=QUALITY, progressive=is_progressive)
    return sink.getvalue()


def measured(kind: str, ways: Mapping[str, Way], jpeg: bytes, rounds: int) -> list[Row]:
    """Return a row per way; they take turns, round by round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    lengths: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            lengths[name] = len(way(jpeg))
            times[name].append(1000 * (time.process_time() - start))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    cheapest = min(taken for name, taken in medians.items() if name != SPLICE)
    return [
        Row(kind, name, taken, taken / cheapest, lengths[name] / len(jpeg)) for name, taken in medians.items()
    ]


def run(rounds: int) -> list[Row]:
    """Measure a baseline and a progressive photo, each beside re-encodes of its own kind."""
    rows: list[Row] = []
    for kind, is_progressive in (("baseline", False), ("progressive", True)):
        ways: dict[str, Way] = {
            SPLICE: by_splice,
            "decode, blur, encode: OpenCV": partial(by_cv2, is_progressive=is_progressive),
            "decode, blur, encode: Pillow": partial(by_pillow, is_progressive=is_progressive),
        }
        rows += measured(kind, ways, photo(is_progressive=is_progressive), rounds)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit with 1 where a splice is dearer or its file longer than promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.splice", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each way")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    engine = next(item for item in available_engines() if item.is_available)
    rows = run(given.rounds)
    _say(f"12 megapixels, {len(FACES)} faces, medians of {given.rounds}; splice engine: {engine.name}")
    _say(f"{'photo':12} {'way':30} {'CPU ms':>8} {'share':>7} {'length':>8}")
    for row in rows:
        _say(f"{row.kind:12} {row.way:30} {row.cpu_ms:8.1f} {row.share:7.0%} {row.length:8.2%}")
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    spliced = [row for row in rows if row.way == SPLICE]
    holds = all(row.share <= MOST_COST and abs(row.length - 1) <= MOST_GROWTH for row in spliced)
    return 0 if holds else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
