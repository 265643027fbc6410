"""The attacked redaction methods: our own styles and those of other tools."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.masks import window
from obscura.redaction.mosaic import CELL_NOISE
from obscura.redaction.paint import paint
from obscura.redaction.regions import GROW, PLATE_GROW, Region, grown
from obscura.redaction.styles import DEFAULT_CELLS, Fill, Mosaic, RegionShape, Soft, Solid, Style

Pixels: TypeAlias = NDArray[np.uint8]
Hide: TypeAlias = Callable[[Pixels, Box], Pixels]
"""From a picture (``uint8[height, width, 3]``, RGB) and an object's box to the redacted picture."""

SEED_KERNEL: Final = (99, 99)
SEED_SIGMA: Final = 30
CLASSIC_CELL: Final = 10
"""Pixels of a cell of the fixed mosaics that many tools have."""


def ours(style: Style) -> Hide:
    """Return a style of the project, painted by the project's own code over the grown box."""
    if isinstance(style, Soft):
        shape, grow = RegionShape.SUPERELLIPSE, GROW
    elif isinstance(style, Fill):
        shape, grow = RegionShape.ROUNDED, PLATE_GROW
    else:
        shape, grow = RegionShape.BOX, GROW

    def hide(pixels: Pixels, box: Box) -> Pixels:
        return paint(pixels, [Region(grown(box, grow), style, shape)])

    return hide


def nothing(pixels: Pixels, _box: Box) -> Pixels:
    """Return the picture as it is: what an attack reaches where nothing is hidden."""
    return pixels.copy()


def seed_gaussian(pixels: Pixels, box: Box) -> Pixels:
    """Return a picture under the legacy system's ``GaussianBlur((99, 99), 30)`` in the detected box."""
    inside = window(box, Size(pixels.shape[1], pixels.shape[0])).slices
    hidden = pixels.copy()
    hidden[inside] = cv2.GaussianBlur(pixels[inside], SEED_KERNEL, SEED_SIGMA)
    return hidden


@dataclass(frozen=True)
class AreaMosaic:
    """An area-mean mosaic with adjustable cells and noise: the classic one, and variants of ours.

    Attributes
    ----------
    cells
        Cells on the long side of the box; where 0, cells have ``side`` pixels.
    noise
        Levels, either way, by which a cell's colour is moved.
    is_grown
        Whether the box is grown first, as ours is.
    side
        Side of a cell in pixels, where ``cells`` is 0.
    """

    cells: int = 0
    noise: int = 0
    is_grown: bool = True
    side: int = CLASSIC_CELL

    def __call__(self, pixels: Pixels, box: Box) -> Pixels:
        """Return a picture with the box hidden."""
        whole = grown(box) if self.is_grown else box.outward()
        inside = window(whole, Size(pixels.shape[1], pixels.shape[0])).slices
        side = -int(-whole.long_side // self.cells) if self.cells else self.side
        means = cell_means(pixels[inside].astype(np.float32), side)
        steps = np.random.default_rng().integers(-self.noise, self.noise, means.shape, endpoint=True)
        colours = np.clip(np.rint(means) + steps, 0, 255).astype(np.uint8)
        hidden = pixels.copy()
        height, width = pixels[inside].shape[:2]
        rows, columns = np.arange(height) // side, np.arange(width) // side
        hidden[inside] = colours[rows[:, None], columns[None, :]]
        return hidden


def cell_means(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the mean of every cell of ``side`` pixels of ``float32[height, width, ...]``."""
    height, width = picture.shape[:2]
    tops, lefts = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(picture, tops, axis=0), lefts, axis=1)
    counts = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))
    counts = counts.reshape(counts.shape + (1,) * (picture.ndim - 2))
    return np.asarray(sums / counts, np.float32)


DEFAULT: Final = "ours, faces: soft"
MOSAIC: Final = f"ours: mosaic, {DEFAULT_CELLS} cells, noise {CELL_NOISE}"
FILL: Final = "ours: filled from around, no tone"
GAUSSIAN: Final = "legacy: Gaussian (99, 99), 30"
SOLID: Final = "ours: solid"
FACE_METHODS: Final[Mapping[str, Hide]] = {
    "nothing hidden": nothing,
    GAUSSIAN: seed_gaussian,
    f"un-noised mosaic, {DEFAULT_CELLS} cells": AreaMosaic(DEFAULT_CELLS),
    DEFAULT: ours(Soft()),
    FILL: ours(Fill()),
    MOSAIC: ours(Mosaic()),
    SOLID: ours(Solid()),
}
WHAT_IFS: Final[Mapping[str, Hide]] = {
    f"{cells} cells, noise {noise}": AreaMosaic(cells, noise)
    for cells in (5, 4, 3, 2)
    for noise in (0, 12, 24, 48, 96)
}
