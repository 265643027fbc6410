"""Unpack one class's pack and clean its labels into ``build/training/data``.

What is cleaned, and why:

- boxes are clipped to the photo, duplicates (IoU > 0.9) dropped, boxes of less than 3 pixels dropped;
- corrections found by self-training (``training/corrections/<class>_train.csv``,
  see :mod:`training.self_train`) are applied to the *training* split only: ``add`` makes a box a label,
  ``grey`` paints a region grey, because a plate that may or may not be one teaches nothing;
- the faces pack's photos are full of vehicles: those in ``corrections/plate_from_faces.csv`` (labelled by the
  same look, ``negative`` for a photo on which only false boxes were seen) join the plates' training photos;
  and the plates pack's are full of drivers, wheels and signs: those in ``corrections/face_from_plates.csv``
  join the faces';
- those of ``corrections/plate_unseen.csv`` become the split ``unseen``: all of one source that no plate
  weights were trained on; ``corrections/face_unseen.csv`` does the same for faces, from the plates pack.

The validation split stays as the pack has it, so that figures of different rounds compare.

Run ``python -m training.prepare --class plate``.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from training.paths import OBJECT_CLASSES, REPOSITORY, ObjectClass, pack_folder, shared_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SMALLEST_SIDE_PIXELS = 3.0
# The table of what a class borrows from the other one's pack.
BORROWED: dict[ObjectClass, str] = {"plate": "from_faces", "face": "from_plates"}
DUPLICATE_IOU = 0.9
GREY = (114, 114, 114)
# Around a greyed region: enough that the edge of what is hidden does not show.
GREY_MARGIN = 0.12
SPLITS = ("train", "val")
CORRECTIONS = REPOSITORY / "training" / "corrections"


@dataclass(frozen=True, slots=True)
class Correction:
    """One change to a training photo's labels.

    Attributes
    ----------
    photo
        File name without extension.
    action
        ``add`` or ``grey`` (training split), ``ignore`` (validation split, see :mod:`training.evaluate`),
        ``negative`` (a borrowed photo that shows none; it has no box).
    box
        Centre x, centre y, width, height as shares of the photo.
    """

    photo: str
    action: str
    box: tuple[float, float, float, float]


def read_corrections(object_class: ObjectClass, split: str) -> dict[str, list[Correction]]:
    """Return a split's committed corrections by photo, empty when there are none."""
    file = CORRECTIONS / f"{object_class}_{split}.csv"
    corrections: dict[str, list[Correction]] = defaultdict(list)
    if file.exists():
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                box = (float(row["cx"]), float(row["cy"]), float(row["width"]), float(row["height"]))
                corrections[row["photo"]].append(Correction(row["photo"], row["action"], box))
    return corrections


def clean_boxes(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return labels clipped to the photo, without specks and duplicates.

    Parameters
    ----------
    boxes
        ``[n, 4]``: centre x, centre y, width, height as shares of the photo.
    width, height
        Of the photo, in pixels.

    Returns
    -------
    NDArray
        ``[m, 4]`` in the same frame, m <= n.
    """
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1).clip(
        0, 1
    )
    sides = (corners[:, 2:] - corners[:, :2]) * (width, height)
    corners = corners[(sides >= SMALLEST_SIDE_PIXELS).all(axis=1)]
    kept: list[NDArray[np.float64]] = []
    for corner in corners:
        if all(_iou(corner, other) <= DUPLICATE_IOU for other in kept):
            kept.append(corner)
    return centred(np.array(kept).reshape(-1, 4))


def centred(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return boxes given by their corners, ``[n, 4]``, as centre x, centre y, width, height."""
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)


def read_labels(file: Path) -> NDArray[np.float64]:
    """Return the boxes of a YOLO label file, ``[n, 4]``; a missing or empty file has none."""
    if not file.exists() or not file.read_text(encoding="utf-8").strip():
        return np.zeros((0, 4))
    return np.loadtxt(file, ndmin=2)[:, 1:5]


def write_labels(file: Path, boxes: NDArray[np.float64]) -> None:
    """Write a YOLO label file of one class; ``boxes`` as `read_labels` returns them."""
    lines = [f"0 {cx:.6f} {cy:.6f} {width:.6f} {height:.6f}\n" for cx, cy, width, height in boxes]
    file.write_text("".join(lines), encoding="utf-8")


def write_data_file(object_class: ObjectClass, name: str, train: list[str]) -> Path:
    """Write ``name`` into a class's pack, which tells the trainer what to train on; return it."""
    pack = pack_folder(object_class)
    target = pack / name
    names = f"path: {pack}\ntrain: [{', '.join(train)}]\nval: images/val\nnames:\n  0: {object_class}\n"
    target.write_text(names, encoding="utf-8")
    return target


def prepare(object_class: ObjectClass) -> Path:
    """Unpack and clean one pack from scratch; return its folder."""
    target = pack_folder(object_class)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tarfile.open(shared_folder() / "data" / f"{target.name}.tar") as archive:
        archive.extractall(target.parent, filter="data")
    corrections = read_corrections(object_class, "train")
    for split in SPLITS:
        for photo in sorted((target / "images" / split).iterdir()):
            changes = corrections[photo.stem] if split == "train" else []
            _prepare_photo(photo, target / "labels" / split / f"{photo.stem}.txt", changes)
    borrow_photos(object_class, BORROWED[object_class], "train")
    borrow_photos(object_class, "unseen", "unseen")
    write_data_file(object_class, "data.yaml", ["images/train"])
    return target


def borrow_photos(object_class: ObjectClass, table: str, split: str) -> None:
    """Copy the photos of ``corrections/<class>_<table>.csv`` from the other class's pack into a split."""
    target, corrections = pack_folder(object_class), read_corrections(object_class, table)
    other = pack_folder("face" if object_class == "plate" else "plate").name
    images, labels = target / "images" / split, target / "labels" / split
    images.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shared_folder() / "data" / f"{other}.tar") as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            if name.parts[1:3] == ("images", "train") and name.stem in corrections:
                member.name = name.name
                archive.extract(member, images, filter="data")
                _prepare_photo(images / name.name, labels / f"{name.stem}.txt", corrections[name.stem])


def _prepare_photo(photo: Path, label_file: Path, changes: list[Correction]) -> None:
    with Image.open(photo) as opened:
        size = opened.size
    boxes = read_labels(label_file)
    added = [change.box for change in changes if change.action == "add"]
    boxes = clean_boxes(np.concatenate([boxes, np.array(added).reshape(-1, 4)]), *size)
    label_file.parent.mkdir(parents=True, exist_ok=True)
    write_labels(label_file, boxes)
    greyed = [change.box for change in changes if change.action == "grey"]
    if greyed:
        _paint_grey(photo, greyed)


def _paint_grey(photo: Path, regions: list[tuple[float, float, float, float]]) -> None:
    with Image.open(photo) as opened:
        picture = opened.convert("RGB")
    pen = ImageDraw.Draw(picture)
    for cx, cy, width, height in regions:
        half_x, half_y = width * (0.5 + GREY_MARGIN), height * (0.5 + GREY_MARGIN)
        left, right = (cx - half_x) * picture.width, (cx + half_x) * picture.width
        top, bottom = (cy - half_y) * picture.height, (cy + half_y) * picture.height
        pen.rectangle((left, top, right, bottom), fill=GREY)
    picture.save(photo, quality=95)


def _iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    width, height = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return float(shared / (areas - shared))


def main() -> None:
    """Prepare the packs and print where they lie."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, action="append")
    for object_class in parser.parse_args().object_class or OBJECT_CLASSES:
        sys.stdout.write(f"{prepare(object_class)}\n")


if __name__ == "__main__":
    main()
