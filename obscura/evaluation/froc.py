"""Free-response ROC (FROC) curves: sensitivity over false marks per image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obscura.evaluation.lesion_labels import LabelledImage

Floats: TypeAlias = NDArray[np.float64]

TOLERANCE_MM = 1.2
"""A mark hits an object if its centre lies in the object's box, grown by this on every side."""
FALSE_MARKS = (0.5, 1.0, 2.0, 3.0, 5.0)
SLIVER_PX = 3
"""Labels with a shorter side are artefacts of drawn masks."""


@dataclass(frozen=True, eq=False, slots=True)
class Marks:
    """The marks of a detector in one image: ``centres[n, 2]`` in pixels, ``scores[n]``."""

    centres: Floats
    scores: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Froc:
    """A FROC curve, by descending threshold.

    Attributes
    ----------
    threshold, false_per_image, sensitivity
        Of each point, where marks of at least ``threshold`` count.
    """

    threshold: Floats
    false_per_image: Floats
    sensitivity: Floats

    def at(self, false_per_image: float) -> tuple[float, float | None]:
        """Return the sensitivity with at most so many false marks, and the lowest threshold for it."""
        allowed = np.flatnonzero(self.false_per_image <= false_per_image + 1e-9)
        if not len(allowed):
            return 0.0, None
        return float(self.sensitivity[allowed[-1]]), float(self.threshold[allowed[-1]])


def froc(images: Sequence[LabelledImage], marks: Sequence[Marks], *, slivers: bool = True) -> Froc:
    """Return the curve over all images together.

    A mark in an ignored area counts neither as hit nor as false; further marks on an object that has been hit
    are not false.

    Parameters
    ----------
    images
        The labels.
    marks
        The marks of each image.
    slivers
        Whether labels with a side below `SLIVER_PX` pixels count; otherwise they are ignored areas.
    """
    found: list[float] = []
    false: list[float] = []
    for image, seen in zip(images, marks, strict=True):
        objects, ignored = image.objects, image.areas
        if not slivers:
            is_sliver = (objects[:, 2:] - objects[:, :2]).min(axis=1, initial=np.inf) < SLIVER_PX
            objects, ignored = objects[~is_sliver], np.concatenate([ignored, objects[is_sliver]])
        margin = TOLERANCE_MM / image.pixel_mm
        hits = _inside(seen.centres, objects, margin)
        scores = np.where(hits, seen.scores[:, None], -np.inf)
        found += scores.max(axis=0, initial=-np.inf).tolist()
        neither = hits.any(axis=1) | _inside(seen.centres, ignored, margin).any(axis=1)
        false += seen.scores[~neither].tolist()
    return _curve(np.array(found), np.array(false), len(images))


def _inside(centres: Floats, boxes: Floats, margin: float) -> NDArray[np.bool_]:
    """Return ``bool[marks, boxes]``: whether the centre of a mark lies in a grown box."""
    points = centres[:, None, :]
    within = (points >= boxes[None, :, :2] - margin) & (points <= boxes[None, :, 2:] + margin)
    return np.asarray(within.all(axis=2), np.bool_)


def _curve(found: Floats, false: Floats, images: int) -> Froc:
    thresholds = np.unique(np.concatenate([found[np.isfinite(found)], false]))[::-1]
    best, wrong = np.sort(found), np.sort(false)
    hit = len(best) - np.searchsorted(best, thresholds)
    miss = len(wrong) - np.searchsorted(wrong, thresholds)
    return Froc(thresholds, miss / max(1, images), hit / max(1, len(found)))
