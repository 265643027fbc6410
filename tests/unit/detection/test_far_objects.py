"""Small things in a 12 megapixel photo, composed of real photos that training never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pytest

from obscura.detection.engines import EngineChoice
from obscura.detection.loading import load_detector
from obscura.detection.weights import default_models_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from obscura.detection.arrays import Pixels

    Floats = NDArray[np.float64]

WIDTH, HEIGHT = 4000, 3000
CELL = 500
# Shown around an object, in lengths of its long side: a face has shoulders, a plate has a bumper.
SURROUNDINGS = 2.0
# Larger in its own photo: what is shrunk to 20 or 30 pixels stays sharp.
CLEAR = 64.0
# By which redaction grows a box, and the share of an object from which it cannot be recognised.
GROWTH = 1.3
HIDDEN = 0.7


class Scene(NamedTuple):
    """A photo and the boxes ``[n, 4]`` of what was put into it."""

    pixels: Pixels
    boxes: Floats


def labelled(pack: Path) -> list[tuple[Path, Floats]]:
    """Return the validation photos with their labels, ``[n, 4]`` shares: centre and sides."""
    photos = sorted((pack / "images" / "val").iterdir())
    texts = [(pack / "labels" / "val" / f"{photo.stem}.txt").read_text() for photo in photos]
    return [
        (photo, np.array(text.split(), np.float64).reshape(-1, 5)[:, 1:])
        for photo, text in zip(photos, texts, strict=True)
    ]


def street(pack: Path) -> Pixels:
    """Return 12 megapixels of real photos, side by side, that show neither people nor vehicles."""
    empty = [photo for photo, _ in labelled(pack) if photo.name.startswith("imagenetneg_")]
    cells = [cv2.resize(read(photo), (CELL, CELL), interpolation=cv2.INTER_CUBIC) for photo in empty]
    columns, rows = WIDTH // CELL, HEIGHT // CELL
    lines = [
        np.concatenate([cells[(row * columns + column) % len(cells)] for column in range(columns)], axis=1)
        for row in range(rows)
    ]
    return np.ascontiguousarray(np.concatenate(lines), dtype=np.uint8)


def read(photo: Path) -> Pixels:
    """Return a photo as uint8 RGB."""
    pixels = cv2.imread(str(photo), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.ascontiguousarray(pixels[..., ::-1], dtype=np.uint8)


def crops(pack: Path, axis: int, length: float) -> list[tuple[Pixels, Floats]]:
    """Return clear objects with their surroundings, ``length`` pixels along ``axis``, and their boxes."""
    found = []
    for photo, labels in labelled(pack):
        pixels = read(photo)
        height, width = pixels.shape[:2]
        # Alone in its photo, or the neighbours would be in the picture without a label.
        if len(labels) != 1 or labels[0, 2 + axis] * (width, height)[axis] < CLEAR:
            continue
        centre, sides = labels[0, :2] * (width, height), labels[0, 2:] * (width, height)
        low = np.maximum(centre - sides.max() * SURROUNDINGS, 0).astype(int)
        high = np.minimum(centre + sides.max() * SURROUNDINGS, (width, height)).astype(int)
        scale = length / sides[axis]
        crop = cv2.resize(
            pixels[low[1] : high[1], low[0] : high[0]], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        corner = (centre - low - sides / 2) * scale
        found.append((np.asarray(crop, np.uint8), np.concatenate([corner, corner + sides * scale])))
    return found


def compose(background: Pixels, objects: list[tuple[Pixels, Floats]]) -> Scene:
    """Put one object into each cell, at a place that differs from cell to cell."""
    pixels, boxes = background.copy(), []
    chance = np.random.default_rng(7)
    cells = [(column, row) for row in range(HEIGHT // CELL) for column in range(WIDTH // CELL)]
    order = chance.permutation(len(objects))
    for (column, row), index in zip(cells, order, strict=False):
        crop, box = objects[index]
        high, wide = crop.shape[:2]
        left = column * CELL + int(chance.integers(0, CELL - wide))
        top = row * CELL + int(chance.integers(0, CELL - high))
        pixels[top : top + high, left : left + wide] = crop
        boxes.append(box + np.array([left, top, left, top]))
    return Scene(pixels, np.array(boxes))


@pytest.mark.parametrize(
    ("class_name", "axis", "length", "share"),
    [
        pytest.param("face", 1, 20.0, 0.8, id="faces 20 pixels high"),
        pytest.param("plate", 0, 30.0, 0.9, id="plates 30 pixels wide"),
    ],
)
def test_small_objects_of_a_large_photo_are_found(
    shared_pack: Callable[[str], Path], class_name: str, axis: int, length: float, share: float
) -> None:
    """Balanced, as it comes, hides most of what is small in a 12 megapixel photo, and little else."""
    scene = compose(street(shared_pack("faces")), crops(shared_pack(f"{class_name}s"), axis, length))
    assert len(scene.boxes) >= 30
    detector = load_detector(default_models_dir(), class_name, EngineChoice.AUTO, threads=2)
    boxes = [item.box for item in detector.detect(scene.pixels)]
    found = np.array(boxes, np.float64).reshape(-1, 4)
    grown = np.array([box.grow(GROWTH) for box in boxes], np.float64).reshape(-1, 4)
    hidden = covered(scene.boxes, grown) >= HIDDEN
    strangers = covered(found, scene.boxes) < 0.1
    assert hidden.mean() >= share, f"{hidden.sum()} of {len(hidden)}"
    assert strangers.sum() <= len(hidden) / 2


def covered(boxes: Floats, others: Floats) -> Floats:
    """Return which share of each box ``[n]`` lies under the one of ``others`` that covers most of it."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared: Floats = np.maximum(high - low, 0).prod(axis=2).max(axis=1, initial=0.0)
    areas: Floats = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return shared / areas
