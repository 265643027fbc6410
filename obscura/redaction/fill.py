"""Smooth fills: a hidden area is interpolated from what lies around it, and a face gets one of eight tones.

All of it happens on a small grid of cells over the area and its surroundings. A cell holds the mean of its
samples that are seen; hidden samples never enter. So a fill is a function of what is seen and, for a face, of
its tone: of the face itself three bits are told.

Source of the interpolation: Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.5 (pull-push), here
with the Gaussian pyramid of Burt and Adelson (1983).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Cells: TypeAlias = NDArray[np.float32]
"""``float32[rows, columns, channels]``: levels 0..255 by cell."""

Weights: TypeAlias = NDArray[np.float32]
"""``float32[rows, columns]``: shares 0..1 by cell."""

FADE: Final = 0.52
"""Share of a face's radius over which the surroundings pass into its tone."""

OPACITY: Final = 0.98
"""Share of the tone in the middle."""

MIDDLE: Final = 1.05
DOWNWARDS: Final = 0.09
OUTWARDS: Final = 0.10
"""The fixed shading: brightness of a tone in the middle, what it loses to the chin and to the rim."""

_SMALLEST: Final = 2
_CHILDREN: Final = 4.0
"""Cells that a coarser one stands for: it counts as seen where one of them is."""

_NEUTRAL: Final = 128.0
_LEAST_WEIGHT: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Face:
    """A face on a grid.

    Attributes
    ----------
    x, y
        Its centre, in cells.
    rx, ry
        Half axes of the superellipse that hides it, in cells.
    exponent
        Of the superellipse.
    down
        Unit vector ``(x, y)`` from forehead to chin of an upright head, in the directions of the grid.
    tones
        By channel: what its brightness is multiplied by where it is shaded, and what is added to that.
    """

    x: float
    y: float
    rx: float
    ry: float
    exponent: float
    down: tuple[float, float]
    tones: tuple[tuple[float, float], ...]


def interpolated(means: Cells, seen: Weights) -> Cells:
    """Return cells where those that are not seen, or in part, are filled smoothly from those that are.

    Parameters
    ----------
    means
        Mean of what is seen of each cell; anything where nothing is.
    seen
        The share of each cell that is seen.

    Returns
    -------
    ndarray
        ``float32[rows, columns, channels]``; mid-grey where nothing is seen at all.
    """
    if not (seen > 0).any():
        return np.full_like(means, _NEUTRAL)
    known = np.where(seen[..., None] > 0, means, np.float32(0))
    return _pulled(np.asarray(known, np.float32), seen)


def shaded(ground: Cells, faces: Sequence[Face]) -> Cells:
    """Return interpolated surroundings with the tones of faces over them; those that touch are one area."""
    shape = ground.shape[:2]
    clear = np.ones(shape, np.float32)
    total = np.full(shape, _LEAST_WEIGHT, np.float32)
    tones = np.zeros_like(ground)
    for face in faces:
        here = _extent(face, shape)
        weight, shade = _placed(face, here)
        clear[here] *= 1 - weight
        total[here] += weight
        for channel, (gain, offset) in enumerate(face.tones):
            tones[(*here, channel)] += weight * (np.float32(gain) * shade + np.float32(offset))
    opacity = np.float32(OPACITY) * (1 - clear)
    return _blend(tones / total[..., None], ground, opacity)


def _extent(face: Face, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the cells outside of which nothing of a face's tone shows."""
    spans = ((face.y, face.ry, shape[0]), (face.x, face.rx, shape[1]))
    rows, columns = (
        slice(
            min(max(math.floor(middle - max(half, 0.5)), 0), length),
            min(max(math.ceil(middle + max(half, 0.5)), 0), length),
        )
        for middle, half, length in spans
    )
    return rows, columns


def _placed(face: Face, here: tuple[slice, slice]) -> tuple[Weights, Weights]:
    """Return by cell how much of a face's tone shows, and how bright it is there."""
    rows, columns = (
        (np.arange(span.start, span.stop, dtype=np.float32) + np.float32(0.5 - middle))
        / np.float32(max(half, 0.5))
        for span, middle, half in zip(here, (face.y, face.x), (face.ry, face.rx), strict=True)
    )
    exponent = np.float32(face.exponent)
    power = (np.abs(rows) ** exponent)[:, None] + (np.abs(columns) ** exponent)[None, :]
    radius = np.minimum(power ** (1 / exponent), 1)
    part = np.minimum((1 - radius) / np.float32(FADE), 1)
    down = np.clip(
        rows[:, None] * np.float32(face.down[1]) + columns[None, :] * np.float32(face.down[0]), -1, 1
    )
    shade = MIDDLE - DOWNWARDS * down - OUTWARDS * radius * radius
    return np.asarray(part * part * (3 - 2 * part), np.float32), np.asarray(shade, np.float32)


def _pulled(values: Cells, weights: Weights) -> Cells:
    height, width = weights.shape
    if min(height, width) <= _SMALLEST or bool((weights >= 1).all()):
        total = max(float(weights.sum()), _LEAST_WEIGHT)
        mean = (values * weights[..., None]).sum(axis=(0, 1)) / np.float32(total)
        return _blend(values, np.broadcast_to(mean, values.shape), weights)
    total_seen = _shrunk(weights[..., None])
    sums = _shrunk(values * weights[..., None])
    seen = np.minimum(total_seen[..., 0] * np.float32(_CHILDREN), 1)
    means = np.asarray(sums / np.maximum(total_seen, np.float32(_LEAST_WEIGHT)), np.float32)
    coarse = _pulled(means, np.asarray(seen, np.float32))
    fine = np.asarray(cv2.pyrUp(coarse, dstsize=(width, height)), np.float32)
    return _blend(values, fine.reshape(values.shape), weights)


def _shrunk(values: Cells) -> Cells:
    half = np.asarray(cv2.pyrDown(values), np.float32)
    return half.reshape(*half.shape[:2], values.shape[2])


def _blend(values: Cells, others: Cells, share: Weights) -> Cells:
    """Return ``values`` where the share is 1, ``others`` where it is 0."""
    return np.asarray(others + (values - others) * share[..., None], np.float32)
