"""The residual check: what detectors still find in a redacted picture."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from obscura.anonymisation.detect import look_at
from obscura.contract import DetectedObject
from obscura.detection.detector import DetectionOptions, Detector
from obscura.detection.output_cache import NOTHING_SEEN, Memory
from obscura.geometry import Box
from obscura.imaging.open import Photo
from obscura.observability import Stage, catalogue, count, stage

__all__ = ["REVIEW_SHARE", "find_residual", "outside"]

REVIEW_SHARE = 0.7
"""The second look reports from this share of the model's own threshold.

It does not follow the request's threshold: a first look that was made blunt is what it is there to catch.
"""

HIDDEN_SHARE = 0.5
"""A find that lies this far under what was hidden is the mosaic itself, not a miss."""


def find_residual(
    detector: Detector,
    picture: Photo,
    hidden: Sequence[Box],
    options: DetectionOptions,
    known: Memory = NOTHING_SEEN,
) -> tuple[DetectedObject, ...]:
    """Return what is still to be seen in a redacted picture.

    Parameters
    ----------
    detector
        A detector of one class.
    picture
        The redacted picture.
    hidden
        The boxes that were painted over, in pixels of the picture; in those of the array where it has several
        frames, one below the other.
    options
        How to look; its threshold is not used.
    known
        What of the first look holds for the redacted picture too: `obscura.detection.output_cache.Changes`.
    """
    threshold = detector.card.min_confidence * REVIEW_SHARE
    again = replace(options, min_confidence=threshold)
    with stage(Stage.REVIEW, model=detector.card.name) as told:
        part, _ = look_at(detector, picture, again, known)
        step = picture.size.height
        seen = tuple(
            item
            for item in part.detections
            if hidden_share(Box(*item.xyxy).shift(0, step * (item.frame or 0)), hidden) < HIDDEN_SHARE
        )
        told["seen"] = len(seen)
    count(catalogue.SUSPECTS, detector.card.class_name, by=len(seen))
    return seen


def outside(found: Sequence[DetectedObject], zones: Sequence[Box]) -> tuple[DetectedObject, ...]:
    """Return the finds but those that lie wholly inside one of ``zones``, which nobody wants hidden."""
    return tuple(item for item in found if not Box(*item.xyxy).lies_in_one_of(zones))


def hidden_share(box: Box, hidden: Sequence[Box]) -> float:
    """Return the share of ``box``, 0..1, that lies under the union of ``hidden``, to whole pixels."""
    outer = box.outward()
    left, top, right, bottom = outer.rounded()
    if right <= left or bottom <= top:
        return 0.0
    covered = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for other in hidden:
        x1, y1, x2, y2 = other.shift(-left, -top).rounded()
        covered[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = True
    return float(covered.mean())
