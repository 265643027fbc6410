"""Box voting: average overlapping boxes of one object.

A network reports an object from several anchors, and several slices report it again, each with a small error.
Their mean, weighted by score and by overlap, fits the object better than the box with the best score (Gidaris
and Komodakis 2015, "Object detection via a multi-region and semantic segmentation-aware CNN model").
"""

import numpy as np

from obscura.detection.arrays import Floats
from obscura.detection.nms import overlaps

__all__ = ["vote"]

SAME_OBJECT = 0.5
"""Intersection over union from which a box counts; a higher value excludes most boxes of small objects."""

AGREEMENT = 2
"""Power of the intersection over union in a box's weight: nearly equal boxes count most."""

BLOCK = 128


def vote(kept: Floats, found: Floats, weights: Floats, period: float | None = None) -> Floats:
    """Return ``kept``, each box replaced by the weighted mean of the found boxes on the same object.

    Parameters
    ----------
    kept
        ``[n, 4]``, some of ``found``.
    found
        ``[m, 4]``.
    weights
        Weight of each found box, above 0, ``[m]``.
    period
        Circumference in pixels of a 360 degree panorama: its ``x`` and ``x + period`` are the same column.
    """
    fitted = kept.copy()
    for start in range(0, len(kept), BLOCK):
        block = slice(start, start + BLOCK)
        overlap = overlaps(kept[block], found, period)
        share = np.where(overlap >= SAME_OBJECT, overlap**AGREEMENT * weights, 0.0)
        total = np.maximum(share.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        fitted[block] = (share @ found) / total
        if period is not None:
            fitted[block, [0, 2]] += _turned(kept[block], found, share / total, period)
    return fitted


def _turned(kept: Floats, found: Floats, share: Floats, period: float) -> Floats:
    """Return the correction of the means' x for found boxes that lie whole periods away, ``[n, 1]``."""
    between = (kept[:, None, 0] + kept[:, None, 2] - found[None, :, 0] - found[None, :, 2]) / 2
    moved: Floats = (share * np.round(between / period) * period).sum(axis=1, keepdims=True)
    return moved
