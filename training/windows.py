"""Sheets of windows: training photos composed of the windows of crop re-scoring.

``obscura.detection.rescoring`` scales a candidate box to about 50 px in the middle of a small window. Whole
photos do not look like that: small objects are large and soft there, and most windows hold a box near the
threshold. ``python -m training.windows --class face`` takes up to `PER_PHOTO` windows of every training
photo, around its labels and around the boxes that the present weights report where no label is, and lays nine
of them on a sheet of 640 pixels, with their labels. ``training.train --windows`` adds the sheets.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from obscura.evaluation import pairwise_iou
from training.evaluate import corners, forward_of, labelled_photos
from training.paths import MODELS, OBJECT_CLASSES, ObjectClass, model_name, pack_folder
from training.predict import PADDING, Forward, Pass, detect, read_photo
from training.prepare import centred, write_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]

SPLIT = "windows"
SIDE, GAP, ACROSS = 192, 16, 3
SHEET = ACROSS * SIDE + (ACROSS + 1) * GAP
PER_PHOTO = 4
TARGET_SIDES = (36.0, 80.0)
"""Length in window pixels to which an object's longer side is brought: around what the product asks for."""

MAX_ENLARGEMENT = 4.0
OFF_CENTRE = 0.25
"""How far, as a share of the window, what it was made for may lie from its middle."""

LOOK = Pass(min_confidence=0.02)
NO_LABEL_IOU = 0.2
VISIBLE = 0.4
"""Share of an object that must lie in a window to be labelled there."""

JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a photo, uint8 RGB ``[height, width, 3]``, and the corners of its labels, ``[n, 4]``."""

    pixels: Pixels
    boxes: Floats


class WindowMaker:
    """Cuts windows out of photos.

    Parameters
    ----------
    forward
        The network whose doubts are looked at.
    seed
        Of its own generator, so that the same photos give the same windows.
    """

    def __init__(self, forward: Forward, seed: int = 0) -> None:
        self._forward = forward
        self._random = np.random.default_rng(seed)

    def windows(self, pixels: Pixels, labels: Floats) -> Iterator[Window]:
        """Yield up to `PER_PHOTO` windows of a photo: around labels, and around false boxes."""
        boxes, _ = detect(self._forward, pixels, LOOK)
        if len(labels):
            boxes = boxes[pairwise_iou(boxes, labels).max(axis=1, initial=0.0) < NO_LABEL_IOU]
        chosen = np.concatenate([self._some(labels, PER_PHOTO), self._some(boxes, PER_PHOTO)])
        for box in self._some(chosen, PER_PHOTO):
            yield self._cut(pixels, labels, box)

    def _some(self, boxes: Floats, count: int) -> Floats:
        return boxes[self._random.permutation(len(boxes))[:count]]

    def _cut(self, pixels: Pixels, labels: Floats, box: Floats) -> Window:
        target = self._random.uniform(*TARGET_SIDES)
        scale = min(target / max(*(box[2:] - box[:2]), 1.0), MAX_ENLARGEMENT)
        centre = (box[:2] + box[2:]) / 2
        corner = SIDE / 2 + self._random.uniform(-OFF_CENTRE, OFF_CENTRE, 2) * SIDE - centre * scale
        window = _resampled(pixels, scale, corner)
        moved = labels * scale + np.tile(corner, 2)
        inside = moved.clip(0, SIDE)
        share = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.prod(moved[:, 2:] - moved[:, :2], axis=1)
        return Window(window, inside[share >= VISIBLE])


def _resampled(pixels: Pixels, scale: float, corner: Floats) -> Pixels:
    """Return the window that shows ``photo * scale + corner``, grey where the photo ends."""
    halvings = max(0, int(np.floor(np.log2(1 / scale))))
    height, width = pixels.shape[:2]
    small = (max(1, width >> halvings), max(1, height >> halvings))
    if halvings:
        # Averaged first: linear sampling alone would skip most of the pixels.
        pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
    factors = scale * np.array([width / small[0], height / small[1]])
    shift = corner + (factors - 1) / 2
    matrix = np.array([[factors[0], 0, shift[0]], [0, factors[1], shift[1]]])
    window = cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3)
    return np.asarray(window, np.uint8)


def sheet(windows: list[Window]) -> Window:
    """Return up to nine windows side by side on grey, with their boxes in the sheet's pixels."""
    pixels = np.full((SHEET, SHEET, 3), PADDING, np.uint8)
    boxes = [np.zeros((0, 4))]
    for number, window in enumerate(windows):
        row, column = divmod(number, ACROSS)
        left, top = (GAP + place * (SIDE + GAP) for place in (column, row))
        pixels[top : top + SIDE, left : left + SIDE] = window.pixels
        boxes.append(window.boxes + np.array([left, top, left, top]))
    return Window(pixels, np.concatenate(boxes))


def make_sheets(object_class: ObjectClass, forward: Forward) -> Path:
    """Write the sheets of one class's training photos into its pack; return their folder."""
    pack = pack_folder(object_class)
    images, labels = pack / "images" / SPLIT, pack / "labels" / SPLIT
    for folder in (images, labels):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    maker, found = WindowMaker(forward), list[Window]()
    for file, shares in labelled_photos(object_class, "train"):
        pixels = read_photo(file)
        found.extend(maker.windows(pixels, corners(shares, pixels.shape[1], pixels.shape[0])))
    # Windows of one photo on one sheet would teach less.
    order = np.random.default_rng(0).permutation(len(found))
    for number, start in enumerate(range(0, len(order), ACROSS**2)):
        made = sheet([found[index] for index in order[start : start + ACROSS**2]])
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        cv2.imwrite(str(images / f"{number:05}.jpg"), made.pixels[..., ::-1], quality)
        write_labels(labels / f"{number:05}.txt", centred(made.boxes) / SHEET)
    return images


def main() -> None:
    """Make one class's sheets and print where they lie."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    object_class: ObjectClass = parser.parse_args().object_class
    weights = MODELS / f"{model_name(object_class)}.onnx"
    sys.stdout.write(f"{make_sheets(object_class, forward_of(weights, 'openvino-bf16'))}\n")


if __name__ == "__main__":
    main()
