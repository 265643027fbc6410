"""What the soft fill does to the look of faces: how far their colour moves, and how large steps inside are.

``python -m benchmarks.look`` hides the labelled faces of the held-out photos of ``faces.tar`` (in
``OBSCURA_SHARED``) and prints percentiles: the distance of the mean chroma (a*, b* of CIELAB) of inner faces
before and after, and the largest difference of lightness between neighbouring pixels there.
"""

import argparse
import io
import os
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from obscura.anonymisation import Target
from obscura.geometry import Box, Size
from obscura.redaction.masks import window
from obscura.redaction.paint import paint
from obscura.redaction.policy import RedactionPolicy, regions_for

LEAST: Final = 32
"""Shortest side of a face that is measured, in pixels."""

INNER: Final = 0.6
"""Share of a face's box, across and down, that is measured."""

MASKED: Final = ("eden_", "kaggle853_")
"""Sources whose people wear surgical masks: no tone of skin has their colour."""

Pixels = NDArray[np.uint8]


def photos(pack: Path) -> Iterator[tuple[str, Pixels, list[Box]]]:
    """Yield the name, the pixels and the faces of each held-out photo."""
    with tarfile.open(pack) as archive:
        files = {Path(item.name).name: item for item in archive if "/val/" in item.name and item.isfile()}
        for name in sorted(files):
            label = files.get(Path(name).with_suffix(".txt").name)
            body, lines = archive.extractfile(files[name]), label and archive.extractfile(label)
            if name.endswith(".txt") or body is None or not lines:
                continue
            pixels = np.asarray(Image.open(io.BytesIO(body.read())).convert("RGB"), np.uint8)
            height, width = pixels.shape[:2]
            rows = [[*map(float, line.split()[1:5])] for line in lines.read().splitlines() if line.strip()]
            boxes = [
                Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2).scale(width, height) for x, y, w, h in rows
            ]
            yield name, pixels, boxes


def measured(pixels: Pixels, boxes: Sequence[Box]) -> Iterator[tuple[float, float]]:
    """Yield for each face of `LEAST` pixels how far its chroma moves, and the largest step in it."""
    targets = [Target("face", box) for box in boxes]
    painted = paint(pixels, regions_for(targets, RedactionPolicy()))
    before, after = (
        cv2.cvtColor((part / 255).astype(np.float32), cv2.COLOR_RGB2LAB) for part in (pixels, painted)
    )
    for box in boxes:
        inner = window(box.grow(INNER), Size(pixels.shape[1], pixels.shape[0]))
        if min(box.width, box.height) < LEAST or inner.is_empty:
            continue
        moved = (after[inner.slices] - before[inner.slices]).mean(axis=(0, 1))
        steps = [np.abs(np.diff(after[inner.slices][..., 0], axis=axis)).max(initial=0) for axis in (0, 1)]
        yield float(np.hypot(moved[1], moved[2])), float(max(steps))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit with 1 where there is no material."""
    argparse.ArgumentParser(prog="python -m benchmarks.look", description=main.__doc__).parse_args(arguments)
    pack = Path(os.environ.get("OBSCURA_SHARED", "../shared")) / "data" / "faces.tar"
    if not pack.is_file():
        sys.stderr.write("no faces.tar under OBSCURA_SHARED\n")
        return 1
    groups: dict[str, list[tuple[float, float]]] = {"bare faces": [], "with surgical masks": []}
    for name, pixels, boxes in photos(pack):
        group = "with surgical masks" if name.startswith(MASKED) else "bare faces"
        groups[group] += measured(pixels, boxes)
    for group, found in groups.items():
        moved, steps = np.array(found).reshape(-1, 2).T
        middle, high = np.percentile(moved, (50, 90))
        sys.stdout.write(
            f"{group}: {len(moved)}, chroma moved {middle:.1f} (median), {high:.1f} (90th percentile); "
            f"largest step {steps.max():.1f}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
