"""Match detections to labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def _no_boxes() -> Floats:
    return np.zeros((0, 4))


@dataclass(frozen=True, slots=True)
class Photo:
    """Labels and detections of one photo.

    Attributes
    ----------
    labels
        Labelled boxes, ``[m, 4]``, corners in pixels.
    boxes
        Detected boxes, ``[n, 4]``, corners in pixels.
    scores
        Confidence of each detected box, ``[n]``.
    ignored
        Regions in which a detection is neither true nor false, ``[k, 4]``, corners in pixels.
    """

    labels: Floats
    boxes: Floats
    scores: Floats
    ignored: Floats = field(default_factory=_no_boxes)

    def __post_init__(self) -> None:
        """Check the shapes of the arrays.

        Raises
        ------
        ValueError
            A box array is not ``[n, 4]``, or there are not as many scores as boxes.
        """
        for name in ("labels", "boxes", "ignored"):
            shape = getattr(self, name).shape
            if len(shape) != 2 or shape[1] != 4:  # noqa: PLR2004 - a box has four numbers
                message = f"{name} has shape {shape}, expected [n, 4]"
                raise ValueError(message)
        if self.scores.shape != (len(self.boxes),):
            message = f"{len(self.boxes)} boxes but scores of shape {self.scores.shape}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """The outcome of every detection and every label of one photo.

    Attributes
    ----------
    scores
        Scores of the detections that count (not those in ignored regions), descending, ``[n]``.
    hits
        Whether each of them matches a label, ``[n]``.
    label_scores
        Score of the detection that matches each label, in the labels' order; ``-inf`` where missed, ``[m]``.
    """

    scores: Floats
    hits: Flags
    label_scores: Floats


def intersections(first: Floats, second: Floats) -> Floats:
    """Return the shared area of every pair of boxes, ``[n, m]`` in square pixels."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = (bottom_right - top_left).clip(min=0)
    area: Floats = sides[..., 0] * sides[..., 1]
    return area


def areas(boxes: Floats) -> Floats:
    """Return the area of every box, ``[n]`` in square pixels; an inverted box has none."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=0)
    area: Floats = sides[:, 0] * sides[:, 1]
    return area


def pairwise_iou(first: Floats, second: Floats) -> Floats:
    """Return the intersection over union of every pair of boxes, ``[n, m]`` in 0..1."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(photo: Photo, min_iou: float = 0.5) -> PhotoOutcome:
    """Match detections to labels greedily, best score first, as COCO does.

    Each detection takes the free label it overlaps most, if by at least ``min_iou``. One that takes none
    is left out when at least ``min_iou`` of its own area lies in one ignored region; otherwise it is false.

    Because the order is by score, the outcome at any higher threshold is a prefix of this one.

    Parameters
    ----------
    photo
        Labels and detections.
    min_iou
        Overlap from which a detection counts as having found a label.
    """
    order = np.argsort(-photo.scores, kind="stable")
    overlaps = pairwise_iou(photo.boxes, photo.labels)
    excused = _in_ignored_region(photo, min_iou)
    label_scores = np.full(len(photo.labels), -np.inf)
    counted, hits = [], []
    for detection in order:
        candidates = np.where(np.isneginf(label_scores), overlaps[detection], -1.0)
        label = int(candidates.argmax()) if len(candidates) else -1
        found = label >= 0 and candidates[label] >= min_iou
        if found:
            label_scores[label] = photo.scores[detection]
        if found or not excused[detection]:
            counted.append(photo.scores[detection])
            hits.append(found)
    return PhotoOutcome(np.array(counted, dtype=np.float64), np.array(hits, dtype=np.bool_), label_scores)


def _in_ignored_region(photo: Photo, min_share: float) -> Flags:
    if not len(photo.ignored):
        return np.zeros(len(photo.boxes), dtype=np.bool_)
    shared = intersections(photo.boxes, photo.ignored).max(axis=1)
    inside: Flags = (shared >= min_share * areas(photo.boxes)) & (shared > 0)
    return inside
