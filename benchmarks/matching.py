"""Measure photo verification: ``python -m benchmarks.matching [PAIRS] [--strangers FOLDER ...]``.

PAIRS is a folder with ``pairs.csv`` (``image1,image2,same,kind``) and ``images/``; without it the pack
``photo_pairs.tar`` in the folder ``data`` of ``OBSCURA_SHARED`` is unpacked. Our rule is compared with the
legacy system's, reimplemented literally. ``--strangers`` draws pairs of photos that have nothing to do with
each other; the accepted ones are listed, for a folder may hold two photos of one scene. Look-alikes are
drawn.
"""

import argparse
import csv
import os
import random
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from obscura.errors import PhotoError
from obscura.imaging.open import decode
from obscura.imaging.pixels import Pixels
from obscura.matching import Comparison, Strictness, compare, features

SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp"}
_SEED_KEPT: Final = 80
_SEED_AREA: Final = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare pairs of photos and print what was accepted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=main.__doc__)
    parser.add_argument("pairs", nargs="?", type=Path, help="folder with pairs.csv and images/")
    parser.add_argument("--strangers", nargs="*", type=Path, default=[], help="folders of photos")
    parser.add_argument("--count", type=int, default=500, help="pairs of strangers")
    parser.add_argument("--seed", type=int, default=7, help="seed of what is drawn")
    parser.add_argument("--strictness", type=Strictness, choices=list(Strictness), default=Strictness.NORMAL)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    with ExitStack() as stack:
        folder = given.pairs or _unpacked(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        if folder is not None:
            _show_pairs(folder, given.strictness)
    _show_strangers(_strangers(given.strangers, given.count, given.seed), given.strictness, "strangers")
    _show_strangers(look_alikes(given.seed), given.strictness, "look-alikes")
    return 0


def seed_rule(standard: Pixels, photo: Pixels) -> bool:
    """Return the legacy code's verdict: 80 best matches, RANSAC, the outline's area above 30."""
    feature = cv2.AKAZE.create()
    (one, described_one), (other, described_other) = (
        feature.detectAndCompute(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), None)
        for pixels in (standard, photo)
    )
    if not one or not other:
        return False
    matches = sorted(cv2.BFMatcher.create().match(described_one, described_other), key=lambda m: m.distance)
    good = matches[:_SEED_KEPT]
    if len(good) < 4:  # noqa: PLR2004 - a homography needs four; the legacy code crashes here
        return False
    source = np.array([one[m.queryIdx].pt for m in good], np.float32).reshape(-1, 1, 2)
    target = np.array([other[m.trainIdx].pt for m in good], np.float32).reshape(-1, 1, 2)
    found, _ = cv2.findHomography(source, target, cv2.RANSAC)
    if found is None:
        return False
    height, width = standard.shape[:2]
    corners = np.array([[[0, 0]], [[0, height - 1]], [[width - 1, height - 1]], [[width - 1, 0]]], np.float32)
    x, y = cv2.perspectiveTransform(corners, found).reshape(4, 2).T
    # The legacy code shifts the outline by the width, which changes no area.
    return abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2 > _SEED_AREA


def look_alikes(seed: int, count: int = 8) -> Iterator[tuple[str, Pixels, Pixels]]:
    """Yield pairs of different things that look alike: pages in one font, walls, tiles, noise, bare sky."""
    rng = np.random.default_rng(seed)
    makers: dict[str, Callable[[np.random.Generator], Pixels]] = {
        "page": _page,
        "bricks": _bricks,
        "tiles": _tiles,
        "noise": _noise,
        "wall": _wall,
        "sky": _sky,
    }
    for name, make in makers.items():
        for number in range(count):
            yield f"{name} {number}", make(rng), make(rng)


def _noise(rng: np.random.Generator) -> Pixels:
    """Return a picture of nothing but noise."""
    return rng.integers(0, 255, (600, 800, 3), np.uint8)


def _wall(rng: np.random.Generator) -> Pixels:
    """Return a bare wall."""
    return np.asarray(np.clip(rng.normal(190, 4, (600, 800, 3)), 0, 255), np.uint8)


def _page(rng: np.random.Generator) -> Pixels:
    """Return a page of random words, as a scan."""
    page = np.full((800, 600, 3), 245, np.uint8)
    for y in range(60, 760, 26):
        words = ("".join(rng.choice(list("etaoinshrdlu"), rng.integers(2, 9))) for _ in range(9))
        cv2.putText(page, " ".join(words)[:48], (40, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 30, 30), 1, 16)
    return _photographed(page, rng)


def _bricks(rng: np.random.Generator) -> Pixels:
    """Return a wall whose bricks have colours of their own."""
    wall = np.full((600, 800, 3), 180, np.uint8)
    for row, y in enumerate(range(0, 600, 30)):
        for x in range(-40 * (row % 2), 800, 80):
            colour = (rng.normal((150, 70, 50), 12)).clip(0, 255).tolist()
            cv2.rectangle(wall, (x + 2, y + 2), (x + 77, y + 27), colour, cv2.FILLED)
    return _photographed(wall, rng)


def _tiles(rng: np.random.Generator) -> Pixels:
    """Return a floor of two colours; the colours differ from floor to floor."""
    floor = np.full((600, 800, 3), rng.integers(120, 255, 3), np.uint8)
    dark = rng.integers(0, 120, 3).tolist()
    for y in range(0, 600, 50):
        for x in range((y // 50 % 2) * 50, 800, 100):
            cv2.rectangle(floor, (x, y), (x + 49, y + 49), dark, cv2.FILLED)
    return _photographed(floor, rng)


def _sky(rng: np.random.Generator) -> Pixels:
    """Return soft clouds."""
    coarse = rng.normal(180, 25, (8, 10, 3)).clip(0, 255).astype(np.uint8)
    return _photographed(np.asarray(cv2.resize(coarse, (800, 600), interpolation=cv2.INTER_CUBIC)), rng)


def _photographed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the thing from a random point of view, with the noise of a camera."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = (corners + rng.uniform(-0.08, 0.08, (4, 2)) * width).astype(np.float32)
    view = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(pixels, view, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(np.clip(seen + rng.normal(0, 4, seen.shape), 0, 255), np.uint8)


def _unpacked(folder: Path) -> Path | None:
    pack = Path(os.environ.get("OBSCURA_SHARED", "../shared")) / "data" / "photo_pairs.tar"
    if not pack.is_file():
        _say("no folder of pairs, and no photo_pairs.tar in OBSCURA_SHARED: pairs are left out")
        return None
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    return folder / "photo_pairs"


def _show_pairs(folder: Path, strictness: Strictness) -> None:
    read = cache(lambda name: decode((folder / "images" / name).read_bytes()).pixels)
    known = cache(lambda name: features(read(name)))
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    spent: list[float] = []
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        standard, photo = known(row["image1"]), read(row["image2"])
        start = time.process_time()
        is_same = compare(standard, photo, strictness).same
        spent.append(time.process_time() - start)
        count = counts[row["kind"]]
        count[0] += 1
        count[1] += is_same
        count[2] += seed_rule(read(row["image1"]), photo)
    _say(f"{'kind':28}{'pairs':>6}{'accepted':>10}{'legacy rule':>12}")
    for kind, (total, ours, literal) in sorted(counts.items()):
        _say(f"{kind:28}{total:6}{ours:6} {ours / total:4.0%}{literal:6} {literal / total:4.0%}")
    middle, most = (1000 * float(np.percentile(spent, share)) for share in (50, 95))
    _say(f"CPU ms per comparison, standard photo cached: median {middle:.0f}, 95th percentile {most:.0f}")


def _strangers(folders: Sequence[Path], count: int, seed: int) -> Iterator[tuple[str, Pixels, Pixels]]:
    """Yield pairs of photos drawn from all folders."""
    photos = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in SUFFIXES)
    drawn = random.Random(seed)  # noqa: S311 - which photos are compared is no secret
    for _ in range(count if len(photos) > 1 else 0):
        one, other = drawn.sample(photos, 2)
        try:
            pixels = [decode(path.read_bytes()).pixels for path in (one, other)]
        except PhotoError as error:
            _say(f"left out: {one.name} {other.name}: {error.message}")
            continue
        yield f"{one.name} {other.name}", pixels[0], pixels[1]


def _show_strangers(pairs: Iterator[tuple[str, Pixels, Pixels]], strictness: Strictness, title: str) -> None:
    total, literal = 0, 0
    accepted: list[tuple[str, Comparison]] = []
    for name, one, other in pairs:
        total += 1
        answer = compare(features(one), other, strictness)
        literal += seed_rule(one, other)
        if answer.same:
            accepted.append((name, answer))
    if not total:
        return
    _say(
        f"{title:28}{total:6}{len(accepted):6} {len(accepted) / total:4.0%}{literal:6} {literal / total:4.0%}"
    )
    for name, answer in accepted:
        _say(f"    {name}: {answer.method}, {answer.inliers} of {answer.matches}, 1e{answer.log_chance:.0f}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
