"""Non-maximum suppression.

All functions take an optional ``period``: the circumference, in pixels, of a 360 degree panorama, in which
``x`` and ``x + period`` are the same column.
"""

import numpy as np

from obscura.detection.arrays import Floats, Indices, Mask

__all__ = ["areas", "intersections", "overlaps", "suppress", "suppress_nested"]

LIKE_AREA = 0.4
"""Ratio of areas, smaller over larger, from which two boxes are of similar size."""

SHARED = 0.65
"""Share of the smaller of two boxes of similar size in the other from which both are on one object."""

INSIDE = 0.95
"""Share of a box in a larger one from which it is a part of the same object."""

MAX_NESTED = 1000
"""Boxes, best first, that `suppress_nested` compares with one another; the others stay as they are."""

AT_ONCE = 256
"""Boxes of which all pairs are compared in one go: a fraction of the time of one box after the other."""


def areas(boxes: Floats) -> Floats:
    """Return the areas ``[n]`` of boxes ``[n, 4]``; 0 where x2 < x1 or y2 < y1."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    product: Floats = sides[:, 0] * sides[:, 1]
    return product


def intersections(first: Floats, second: Floats, period: float | None = None) -> Floats:
    """Return the areas ``[n, m]`` that boxes ``[n, 4]`` and boxes ``[m, 4]`` share pairwise."""
    left, top, right, bottom = (first[:, None, side] for side in range(4))
    shift = _shifts(first, second, period)
    width = np.minimum(right, second[None, :, 2] + shift) - np.maximum(left, second[None, :, 0] + shift)
    height = np.minimum(bottom, second[None, :, 3]) - np.maximum(top, second[None, :, 1])
    shared: Floats = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    return shared


def overlaps(first: Floats, second: Floats, period: float | None = None) -> Floats:
    """Return intersection over union ``[n, m]``, 0..1, of boxes ``[n, 4]`` and boxes ``[m, 4]``."""
    shared = intersections(first, second, period)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    ratio: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0.0)
    return ratio


def suppress(boxes: Floats, scores: Floats, max_overlap: float, period: float | None = None) -> Indices:
    """Return the positions of the boxes that stay, best first (greedy non-maximum suppression).

    A box is removed when its intersection over union with a better kept one is above ``max_overlap``. Equal
    scores keep their order, so that the answer is the same on every run. Time grows with the number of
    boxes times the number that stay, memory with the number of boxes times `AT_ONCE`.

    Parameters
    ----------
    boxes, scores
        ``[n, 4]`` and ``[n]``.
    max_overlap
        0..1.
    period
        See the module.
    """
    order = np.argsort(-scores, kind="stable")
    kept = [np.zeros(0, np.intp)]
    while order.size:
        best, order = order[:AT_ONCE], order[AT_ONCE:]
        stay = best[_greedy(overlaps(boxes[best], boxes[best], period) > max_overlap)]
        covered = overlaps(boxes[stay], boxes[order], period) > max_overlap
        order = order[~covered.any(axis=0)]
        kept.append(stay)
    return np.concatenate(kept)


def suppress_nested(boxes: Floats, scores: Floats, period: float | None = None) -> Indices:
    """Return the positions of the boxes that are not a second box on an object, best first.

    `suppress` compares intersection over union, which is small for a box on a part of an object beside the
    box around all of it: tiles and windows report both on large objects. A box is removed where a better one

    - is of similar size (`LIKE_AREA`) and shares `SHARED` of the smaller of both, or
    - is larger, contains the share `INSIDE` of it, and its inscribed ellipse contains all corners of it, so
      that whatever shape the larger region is painted in covers the smaller box.

    Parameters
    ----------
    boxes, scores
        ``[n, 4]`` and ``[n]``.
    period
        See the module.
    """
    order = np.argsort(-scores, kind="stable")
    order, worst = order[:MAX_NESTED], order[MAX_NESTED:]
    rest = boxes[order]
    size = areas(rest)
    shared = intersections(rest, rest, period)
    smaller = np.maximum(np.minimum(size[:, None], size[None, :]), np.finfo(np.float32).tiny)
    ratio = smaller / np.maximum(np.maximum(size[:, None], size[None, :]), np.finfo(np.float32).tiny)
    alike = (ratio >= LIKE_AREA) & (shared / smaller >= SHARED)
    within = (size[:, None] > size[None, :]) & (shared / smaller >= INSIDE) & _in_ellipse(rest, period)
    return np.concatenate([order[_greedy(alike | within)], worst])


def _in_ellipse(boxes: Floats, period: float | None) -> Mask:
    """Return whether the inscribed ellipse of box i contains the four corners of box j, ``[n, n]``."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, np.finfo(np.float32).tiny)
    away = np.abs(middles[None] - middles[:, None])
    if period is not None:
        away[..., 0] = np.minimum(away[..., 0], np.abs(period - away[..., 0]))
    corners = (away + halves[None]) / halves[:, None]
    inside: Mask = (corners**2).sum(axis=2) <= 1.0
    return inside


def _greedy(suppresses: Mask) -> Indices:
    """Return the positions that stay, given whether box i suppresses box j, ``[n, n]``, best first."""
    free = np.ones(len(suppresses), dtype=np.bool_)
    kept: list[int] = []
    for position, covered in enumerate(suppresses):
        if free[position]:
            kept.append(position)
            free &= ~covered
    return np.array(kept, dtype=np.intp)


def _shifts(first: Floats, second: Floats, period: float | None) -> Floats:
    """Return the multiple of ``period`` that moves the x of ``second`` nearest to ``first``, ``[n, m]``."""
    if period is None:
        return np.zeros((1, 1), dtype=np.float32)
    between = (first[:, None, 0] + first[:, None, 2] - second[None, :, 0] - second[None, :, 2]) / 2
    shift = np.round(between / period) * period
    return shift.astype(np.float32)
