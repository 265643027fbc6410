"""Box voting: average overlapping boxes of one object.

A network reports an object from several anchors, and several passes report it again; each is off by a little,
in its own direction. The mean of them, weighed by score and by agreement, fits the object better than the one
with the best score.
"""

import numpy as np

from obscura.detection.arrays import Floats
from obscura.detection.nms import overlaps

__all__ = ["vote"]

SAME_OBJECT = 0.5
"""Overlap from which a box has a vote; with more, far fewer of a small object's boxes would have one."""

AGREEMENT = 2
"""Power of the overlap in a vote's weight: nearly equal boxes count most."""

BLOCK = 128


def vote(kept: Floats, found: Floats, weights: Floats, period: float | None = None) -> Floats:
    """Return ``kept``, each box replaced by the weighed mean of the found ones on the same object.

    Parameters
    ----------
    kept
        ``[n, 4]``, some of ``found``.
    found
        ``[m, 4]``.
    weights
        How much each found box is trusted, above 0, ``[m]``.
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
    """Return by how much the means' x must move because some found boxes lie whole turns away, ``[n, 1]``."""
    between = (kept[:, None, 0] + kept[:, None, 2] - found[None, :, 0] - found[None, :, 2]) / 2
    moved: Floats = (share * np.round(between / period) * period).sum(axis=1, keepdims=True)
    return moved
