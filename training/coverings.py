"""Covered faces for training photos: masks, veils, dark glasses and hands drawn over labelled faces.

The packs hold few large covered faces, and those are what the second round's weights missed most among large
faces. A covered face stays a face: its label is not changed. The shapes are drawn after the labels'
convention (forehead to chin), with no landmarks: an approximate position is enough, since that of real masks
varies too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.drawing import Drawing, light_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]

    Shape = Callable[[np.random.Generator], list[Floats]]

# Below this height a covering is a smudge that teaches nothing but smudges.
LEAST_HEIGHT_PX = 14
# Cloth as it is bought: white, light blue, black, navy, grey (BGR).
USUAL_COLOURS = ((235, 235, 235), (225, 205, 150), (30, 28, 28), (90, 50, 30), (140, 140, 140))

# A circle about nought.
ROUND = np.stack([np.cos(np.linspace(0, 2 * np.pi, 25)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 25)[:-1])], 1)


@dataclass(frozen=True, slots=True)
class CoveringChances:
    """How often a face is covered, and by what."""

    face: float = 0.14
    mask: float = 0.6
    veil: float = 0.12
    glasses: float = 0.13
    hand: float = 0.15
    usual_colour: float = 0.45
    pattern: float = 0.3


class FaceCoverings(Drawing[CoveringChances]):
    """Draws over some labelled faces, boxes stay."""

    def draw(self, pixels: Pixels, objects: Floats) -> Pixels:
        """Return a copy of uint8 BGR pixels with some of ``objects`` (``[n, 4]``, corners) covered."""
        pixels = pixels.copy()
        for face in objects:
            if face[3] - face[1] >= LEAST_HEIGHT_PX and self._random.random() < self._chances.face:
                self._cover(pixels, face)
        return pixels

    def _cover(self, pixels: Pixels, face: Floats) -> None:
        chances = self._chances
        shapes: tuple[Shape, ...] = (_mask, _veil, _glasses, _hand)
        weights = np.array([chances.mask, chances.veil, chances.glasses, chances.hand])
        shape = shapes[self._random.choice(len(shapes), p=weights / weights.sum())]
        corner, size = face[:2], face[2:] - face[:2]
        # The nearest eighth of a pixel: fillPoly takes fixed-point corners.
        polygons = [np.rint((corner + part * size) * 8).astype(np.int32) for part in shape(self._random)]
        over = np.zeros(pixels.shape[:2], np.uint8)
        # Even-odd: the second polygon of a veil is the gap for the eyes.
        cv2.fillPoly(over, polygons, 255, cv2.LINE_AA, 3)
        left, top, width, height = cv2.boundingRect(over)
        if not width or not height:
            return
        part = np.s_[top : top + height, left : left + width]
        alpha = (over[part] / np.float32(255))[..., None]
        pixels[part] = (pixels[part] * (1 - alpha) + self._cloth(pixels, width, height) * alpha).astype(
            np.uint8
        )

    def _cloth(self, pixels: Pixels, width: int, height: int) -> NDArray[np.float32]:
        """Return BGR values ``[height, width, 3]`` of a cloth: one colour or a pattern, shaded and folded."""
        random = self._random
        if random.random() < self._chances.pattern:
            cloth = self._patch(pixels, width, height)
        else:
            cloth = np.full((height, width, 3), self._colour(), np.float32)
        down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
        angle, folds = random.uniform(0, 2 * np.pi), random.integers(0, 5)
        shade = 1 + random.uniform(0.05, 0.3) * (np.cos(angle) * (right - 0.5) + np.sin(angle) * (down - 0.5))
        shade += random.uniform(0, 0.08) * np.sin(2 * np.pi * folds * down)
        # Everything is as bright as the scene it hangs in.
        return np.asarray(np.clip(cloth * shade[..., None] * light_of(pixels), 0, 255), np.float32)

    def _colour(self) -> Floats:
        random = self._random
        if random.random() < self._chances.usual_colour:
            return np.array(USUAL_COLOURS[random.integers(len(USUAL_COLOURS))], np.float64)
        return random.uniform(20, 235) + random.uniform(-50, 50, 3)

    def _patch(self, pixels: Pixels, width: int, height: int) -> NDArray[np.float32]:
        """Return another part of the photo, ``[height, width, 3]``, as a pattern."""
        rows, columns = min(height, pixels.shape[0]), min(width, pixels.shape[1])
        return np.asarray(cv2.resize(self._part_of(pixels, columns, rows), (width, height)), np.float32)


def _mask(random: np.random.Generator) -> list[Floats]:
    nose, turn, chin = random.uniform(0.36, 0.58), random.uniform(-0.2, 0.2), random.uniform(0.97, 1.08)
    ears = nose + random.uniform(0.02, 0.12)
    return [
        np.array(
            [
                (0.0, ears),
                (0.28 + turn, nose + 0.05),
                (0.5 + turn, nose),
                (0.72 + turn, nose + 0.05),
                (1.0, ears),
                (0.96, 0.78),
                (0.72 + turn / 2, chin - 0.04),
                (0.5 + turn / 2, chin),
                (0.28 + turn / 2, chin - 0.04),
                (0.04, 0.78),
            ]
        )
    ]


def _veil(random: np.random.Generator) -> list[Floats]:
    width, up, down = random.uniform(0.65, 0.85), random.uniform(0.6, 0.8), random.uniform(0.6, 1.1)
    top, bottom = random.uniform(0.08, 0.3), random.uniform(0.46, 0.58)
    outer = ROUND * width
    outer[:, 1] = np.where(ROUND[:, 1] < 0, ROUND[:, 1] * up, ROUND[:, 1] * down)
    gap = ROUND * ((0.46, (bottom - top) / 2)) + (0.5, (top + bottom) / 2)
    return [outer + 0.5, gap]


def _glasses(random: np.random.Generator) -> list[Floats]:
    top, bottom = random.uniform(0.22, 0.32), random.uniform(0.42, 0.56)
    inset = random.uniform(-0.02, 0.1)
    return [np.array([(inset, top), (1 - inset, top), (0.95 - inset, bottom), (0.05 + inset, bottom)])]


def _hand(random: np.random.Generator) -> list[Floats]:
    """Return a slab that covers up to four tenths of the face from one side."""
    reach, slant = random.uniform(0.2, 0.4), random.uniform(-0.12, 0.12)
    slab = np.array([(-0.1, -0.1), (reach + slant, -0.1), (reach - slant, 1.1), (-0.1, 1.1)])
    side = random.integers(3)
    if side == 1:
        slab[:, 0] = 1 - slab[:, 0]
    elif side == 2:  # noqa: PLR2004 - from below
        slab = np.stack([slab[:, 1], 1 - slab[:, 0]], 1)
    return [slab]
