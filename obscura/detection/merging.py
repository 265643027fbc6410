"""Merge boxes of several inference slices into one list.

A pass that sees only a part of the photo reports a part of every object that its inner border cuts. Such a
*cut* box must not appear beside the whole one (the face would be counted twice), nor win against it (half
the face would stay visible). So, in this order:

1. whole boxes compete with one another by score, as in one pass, and those on the same object are averaged,
   passes that saw it larger counting more;
2. a cut box that a whole box covers gives way to it, whatever the scores; the whole box takes the better
   score, because both are evidence of the same object;
3. cut boxes from different passes that continue one another become one box around both: an object larger
   than the tiles' overlap, which no pass saw whole;
4. what is left competes by score.

A cut box that nothing covers stays: a privacy tool hides half a face rather than nothing.
"""

from dataclasses import dataclass

import numpy as np

from obscura.detection.arrays import Floats, Indices, Mask
from obscura.detection.nms import areas, intersections, suppress
from obscura.detection.voting import vote

__all__ = ["Candidates", "concatenate", "merge_passes"]

COVERED = 0.7
"""Share of a cut box from which the whole box over it is taken for the same object. The share is of the cut
box, not of the smaller one of the two: a small face inside a large cut one must not delete it."""

CONTINUES = 0.3
"""Share of the smaller of two cut boxes that must lie in the other to be parts of one object."""

ALIGNED = 0.5
"""Overlap, over the union, of two cut boxes' extents along one axis to be parts of one object."""

SHARPNESS = 3
"""Power of a pass's scale in the weight of its boxes: with the square, plates' boxes are looser (AP at an
overlap of 0.75 0.795 against 0.830, passes of 640 and 832 pixels)."""

MAX_JOINED = 400
"""Cut boxes, best first, that are compared with one another; more stay as they are."""

BLOCK = 256


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes found by passes over one photo.

    Attributes
    ----------
    boxes
        ``[n, 4]`` in pixels of the photo.
    scores
        ``[n]``, 0..1.
    cut
        ``[n]``: whether the box touches a border of its pass that is none of the photo.
    source
        ``[n]``: number of the pass.
    scale
        ``[n]``: input pixels of the pass per pixel of the photo.
    """

    boxes: Floats
    scores: Floats
    cut: Mask
    source: Indices
    scale: Floats

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.scores)

    def take(self, which: Indices | Mask) -> "Candidates":
        """Return the boxes at these positions."""
        return Candidates(
            self.boxes[which], self.scores[which], self.cut[which], self.source[which], self.scale[which]
        )


def concatenate(parts: list[Candidates]) -> Candidates:
    """Return all boxes of ``parts``, in their order; ``parts`` must not be empty."""
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.cut for part in parts]),
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.scale for part in parts]),
    )


def merge_passes(found: Candidates, max_overlap: float, period: float | None = None) -> Candidates:
    """Return one box per object, best first; see the module for the rules.

    Parameters
    ----------
    found
        What all passes found, in one frame.
    max_overlap
        Intersection over union, 0..1, above which two boxes are the same object.
    period
        Circumference in pixels of a 360 degree panorama: its ``x`` and ``x + period`` are the same column.
    """
    whole, cut = found.take(~found.cut), found.take(found.cut)
    whole = _fitted(whole, max_overlap, period)
    if len(cut):
        cut = cut.take(suppress(cut.boxes, cut.scores, max_overlap, period))
        whole, cut = _absorb(whole, cut, period)
        whole = concatenate([whole, _join(cut, period)])
    return whole.take(suppress(whole.boxes, whole.scores, max_overlap, period))


def _fitted(whole: Candidates, max_overlap: float, period: float | None) -> Candidates:
    """Return the best whole box of every object, fitted to what the other passes found of it."""
    best = whole.take(suppress(whole.boxes, whole.scores, max_overlap, period))
    weights = whole.scores * whole.scale**SHARPNESS
    boxes = vote(best.boxes, whole.boxes, weights, period)
    return Candidates(boxes, best.scores, best.cut, best.source, best.scale)


def _absorb(whole: Candidates, cut: Candidates, period: float | None) -> tuple[Candidates, Candidates]:
    """Drop the cut boxes that whole ones cover; these take over a better score."""
    if not len(whole):
        return whole, cut
    free = np.ones(len(cut), dtype=np.bool_)
    scores = whole.scores.copy()
    for start in range(0, len(cut), BLOCK):
        block = slice(start, start + BLOCK)
        shared = intersections(cut.boxes[block], whole.boxes, period)
        share = shared / np.maximum(areas(cut.boxes[block])[:, None], np.finfo(np.float32).tiny)
        best = share.argmax(axis=1)
        covered = share.max(axis=1) >= COVERED
        np.maximum.at(scores, best[covered], cut.scores[block][covered])
        free[block] = ~covered
    taken = Candidates(whole.boxes, scores, whole.cut, whole.source, whole.scale)
    return taken, cut.take(free)


def _join(cut: Candidates, period: float | None) -> Candidates:
    """Return ``cut`` with every group of boxes that continue one another as one box around them."""
    order = np.argsort(-cut.scores, kind="stable")
    best, rest = cut.take(order[:MAX_JOINED]), cut.take(order[MAX_JOINED:])
    related = _continuations(best, period)
    open_boxes = np.ones(len(best), dtype=np.bool_)
    boxes = best.boxes.copy()
    leaders = []
    for leader in range(len(best)):
        if not open_boxes[leader]:
            continue
        leaders.append(leader)
        members = _reachable(leader, related)
        open_boxes[members] = False
        boxes[leader] = _around(best.boxes[members], best.boxes[leader], period)
    joined = Candidates(boxes, best.scores, best.cut, best.source, best.scale)
    joined = joined.take(np.array(leaders, dtype=np.intp))
    return concatenate([joined, rest])


def _continuations(cut: Candidates, period: float | None) -> Mask:
    """Return which pairs of cut boxes are parts of one object, ``[n, n]``."""
    size = areas(cut.boxes)
    smaller = np.maximum(np.minimum(size[:, None], size[None, :]), np.finfo(np.float32).tiny)
    touching = intersections(cut.boxes, cut.boxes, period) / smaller >= CONTINUES
    aligned = np.maximum(_alignment(cut.boxes, 0, period), _alignment(cut.boxes, 1, None)) >= ALIGNED
    related: Mask = touching & aligned & (cut.source[:, None] != cut.source[None, :])
    return related


def _alignment(boxes: Floats, axis: int, period: float | None) -> Floats:
    """Return the overlap over union, ``[n, n]``, of the boxes' extents along x (0) or y (1)."""
    flat = np.zeros_like(boxes)
    flat[:, 3] = 1.0
    flat[:, 0], flat[:, 2] = boxes[:, axis], boxes[:, axis + 2]
    shared = intersections(flat, flat, period)
    length = areas(flat)
    union = np.maximum(length[:, None] + length[None, :] - shared, np.finfo(np.float32).tiny)
    ratio: Floats = shared / union
    return ratio


def _reachable(start: int, related: Mask) -> Indices:
    """Return the members of the group of ``start``, itself included."""
    group = np.zeros(len(related), dtype=np.bool_)
    group[start] = True
    while True:
        wider: Mask = group | related[group].any(axis=0)
        if (wider == group).all():
            return np.flatnonzero(group)
        group = wider


def _around(boxes: Floats, reference: Floats, period: float | None) -> Floats:
    """Return the box ``[4]`` around ``boxes`` ``[n, 4]``, each turned to lie nearest to ``reference``."""
    near = boxes.copy()
    if period is not None:
        between = (reference[0] + reference[2] - boxes[:, 0] - boxes[:, 2]) / 2
        near[:, [0, 2]] += (np.round(between / period) * period)[:, None]
    corners: Floats = np.concatenate([near[:, :2].min(axis=0), near[:, 2:].max(axis=0)])
    return corners
