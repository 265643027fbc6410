"""Label files in YOLO's format: a text file per photo, a line ``class cx cy w h`` per object.

Centre and sides are shares of the photo's width and height. The class number is required and ignored, because
a folder of labels has one class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from obscura.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from obscura.geometry import Size

    Floats = NDArray[np.float64]

WORDS = ("class", "cx", "cy", "w", "h")
MAX_SHARE = 1.001
"""Largest accepted share: rounded labels may exceed 1 slightly, while coordinates in pixels exceed it by
far."""


@dataclass(frozen=True, eq=False, slots=True)
class LabelledPhoto:
    """A photo with its labels.

    Attributes
    ----------
    path
        The photo.
    labels
        Labelled boxes: centre and sides as shares of the photo, ``[m, 4]``.
    ignored
        Ignored regions in the same form, ``[k, 4]``.
    """

    path: Path
    labels: Floats
    ignored: Floats


@dataclass(frozen=True, eq=False, slots=True)
class LabelledSet:
    """The photos of a folder with their labels.

    Attributes
    ----------
    photos
        In the order given.
    without_file
        Photos without a label file; they count as photos without objects.
    without_photo
        Label files without a photo; they are ignored.
    """

    photos: tuple[LabelledPhoto, ...]
    without_file: tuple[Path, ...]
    without_photo: tuple[Path, ...]


def label_photos(photos: Iterable[tuple[Path, Path]], labels: Path, ignored: Path | None) -> LabelledSet:
    """Return the photos with their labels.

    Parameters
    ----------
    photos
        Path of every photo, and its path relative to its folder.
    labels
        Folder where ``street/1.txt`` belongs to the photo ``street/1.jpg``.
    ignored
        A folder of the same structure with ignored regions.

    Raises
    ------
    InvalidRequestError
        If a line is invalid, or no photo has a label file.
    """
    found, without_file, used = [], [], set()
    for path, relative in photos:
        file = labels / relative.with_suffix(".txt")
        if file.is_file():
            used.add(file)
        else:
            without_file.append(path)
        regions = ignored / relative.with_suffix(".txt") if ignored else None
        found.append(LabelledPhoto(path, read_labels(file), read_labels(regions)))
    if found and not used:
        message = f"none of the {len(found)} photos has a label file in {labels}"
        raise InvalidRequestError(message)
    unused = sorted(file for file in labels.rglob("*.txt") if file not in used and file.stem != "classes")
    return LabelledSet(tuple(found), tuple(without_file), tuple(unused))


def read_labels(file: Path | None) -> Floats:
    """Return the boxes of a label file, ``[m, 4]`` centre and sides as shares; none where there is no file.

    Raises
    ------
    InvalidRequestError
        If the file is not text, or a line is invalid; the message names file and line number.
    """
    if file is None or not file.is_file():
        return np.zeros((0, 4))
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: cannot be read as text"
        raise InvalidRequestError(message) from error
    boxes = [_box(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def corners(shares: Floats, size: Size) -> Floats:
    """Return boxes given as centre and sides in shares as corners in pixels, inside the photo, ``[m, 4]``."""
    edges = np.concatenate([shares[:, :2] - shares[:, 2:] / 2, shares[:, :2] + shares[:, 2:] / 2], axis=1)
    pixels: Floats = edges.clip(0.0, 1.0) * np.array([size.width, size.height] * 2)
    return pixels


def _box(line: str, place: str) -> tuple[float, ...]:
    words = line.split()
    if len(words) != len(WORDS):
        message = f"{place}: expected {len(WORDS)} numbers ({' '.join(WORDS)}), found {len(words)}"
        raise InvalidRequestError(message)
    try:
        number, *values = (float(word) for word in words)
    except ValueError as error:
        message = f"{place}: {error}"
        raise InvalidRequestError(message) from error
    if not (math.isfinite(number) and number >= 0 and number.is_integer()):
        message = f"{place}: the class is a whole number from 0, not {words[0]}"
        raise InvalidRequestError(message)
    if not all(0.0 <= value <= MAX_SHARE for value in values) or 0.0 in values[2:]:
        message = (
            f"{place}: cx cy w h are shares of the photo, 0..1, with sides above 0: {' '.join(words[1:])}"
        )
        raise InvalidRequestError(message)
    return tuple(values)
