"""The residual check: what detectors still find in a redacted picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from obscura.anonymisation.detect import look_at
from obscura.anonymisation.residual import proposals
from obscura.contract import DetectedObject, DetectionResult, Quality, ResidualCheck
from obscura.detection.detector import DetectionOptions, Detector
from obscura.detection.output_cache import NOTHING_SEEN, Memory
from obscura.geometry import Box
from obscura.imaging.open import Photo
from obscura.observability import Stage, catalogue, count, stage

__all__ = ["REVIEW_SHARE", "FinishedPicture", "find_residual", "not_hidden", "outside"]

REVIEW_SHARE = 2.0
"""The class's own detector reports from this share of the model's threshold, whatever the request's was.

Calibrated with ``python -m benchmarks.verdict``: at 0.7 it asked for a look at every fifth photo on which
everything was hidden, and told hardly more of the open faces."""

HIDDEN_SHARE = 0.5
"""A detection that lies this far inside the hidden areas is no residual one: hidden pixels are proved."""

SAME_OBJECT = 0.4
"""Intersection over union from which two detections of a class are the same object."""


@dataclass(frozen=True, eq=False)
class FinishedPicture:
    """A finished picture, and how it is searched for what is not hidden.

    Attributes
    ----------
    picture
        The file, decoded again.
    hidden
        The painted boxes, in pixels of the picture; in those of the array where it has several frames, one
        below the other.
    options
        How the photo was looked at; its threshold is not used.
    check
        Quick, full or none.
    """

    picture: Photo
    hidden: Sequence[Box]
    options: DetectionOptions
    check: ResidualCheck

    def residual(
        self, detector: Detector, first: DetectionResult | None = None, known: Memory = NOTHING_SEEN
    ) -> tuple[DetectedObject, ...]:
        """Return the residual detections of a detector's class, surest first.

        Parameters
        ----------
        detector
            A detector of one class.
        first
            What the first detection said of the photo: what it left open counts. Where there was none, the
            class's own detector takes a fast look in the quick check as well.
        known
            See `find_residual`; of use to the full check only.
        """
        if self.check is ResidualCheck.OFF:
            return ()
        if first is not None:
            before = self._not_hidden((*first.left_open, *first.detections))
        elif self.check is ResidualCheck.QUICK:
            fast = replace(self.options, quality=Quality.FAST)
            before = find_residual(detector, self.picture, self.hidden, fast)
        else:
            before = ()
        residual = _distinct((*before, *self._seen(detector, known)))
        count(catalogue.RESIDUAL_DETECTIONS, detector.card.class_name, by=len(residual))
        return residual

    def _seen(self, detector: Detector, known: Memory) -> tuple[DetectedObject, ...]:
        if self.check is ResidualCheck.FULL or detector.scout is None:
            return find_residual(detector, self.picture, self.hidden, self.options, known)
        with stage(Stage.RESIDUAL_CHECK, model=detector.card.name) as told:
            found = proposals(detector, self.picture, self.options.inputs)
            seen = self._not_hidden(found)
            told["seen"] = len(seen)
        return seen

    def _not_hidden(self, found: Iterable[DetectedObject]) -> tuple[DetectedObject, ...]:
        return not_hidden(found, self.hidden, self.picture.size.height)


def not_hidden(
    found: Iterable[DetectedObject], hidden: Sequence[Box], frame_height: int
) -> tuple[DetectedObject, ...]:
    """Return the detections that do not lie mostly inside ``hidden``; see `FinishedPicture.hidden`."""
    return tuple(
        item
        for item in found
        if hidden_share(Box(*item.xyxy).shift(0, frame_height * (item.frame or 0)), hidden) < HIDDEN_SHARE
    )


def _distinct(found: Iterable[DetectedObject]) -> tuple[DetectedObject, ...]:
    """Return each object once, with its best score, surest first."""
    kept: list[DetectedObject] = []
    for item in sorted(found, key=lambda item: -item.confidence):
        box = Box(*item.xyxy)
        if all(other.frame != item.frame or box.iou(Box(*other.xyxy)) < SAME_OBJECT for other in kept):
            kept.append(item)
    return tuple(kept)


def find_residual(
    detector: Detector,
    picture: Photo,
    hidden: Sequence[Box],
    options: DetectionOptions,
    known: Memory = NOTHING_SEEN,
) -> tuple[DetectedObject, ...]:
    """Return what a detector finds in a finished picture outside of what is hidden: the full check.

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
    with stage(Stage.RESIDUAL_CHECK, model=detector.card.name) as told:
        part, _ = look_at(detector, picture, again, known)
        seen = not_hidden(part.detections, hidden, picture.size.height)
        told["seen"] = len(seen)
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
