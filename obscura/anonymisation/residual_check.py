"""The residual check: what detectors still find in a redacted picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from obscura.anonymisation.detect import detect_photo
from obscura.anonymisation.residual import proposals
from obscura.contract import DetectedObject, DetectionResult, Quality, ResidualCheck
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.extra import ObjectDetector
from obscura.detection.output_cache import EMPTY_CACHE, OutputCache
from obscura.geometry import Box
from obscura.imaging.open import Photo
from obscura.observability import Stage, catalogue, count, stage

__all__ = ["RESIDUAL_THRESHOLD_FACTOR", "FinishedPicture", "find_residual", "not_hidden", "outside"]

RESIDUAL_THRESHOLD_FACTOR = 2.0
"""Multiple of the model's threshold from which the full detector reports residual detections.

Calibrated with ``python -m benchmarks.verdict``: at 0.7 every fifth completely redacted photo got
``needs_review``, and hardly more visible faces were found."""

AFTER_REDACT_THRESHOLDS: Mapping[str, float] = MappingProxyType({"face": 0.26, "plate": 0.4})
"""Score of the full detector in `Quality.FAST`, 0..1, from which a visible detection counts where no
detection came before (``/redact``). Chosen on half of the photos of ``docs/explanation/verdict.md`` and
measured on the other half; measure again after training."""

HIDDEN_SHARE = 0.5
"""A detection with this share of its area hidden is not a residual one: hidden pixels are verified."""

SAME_OBJECT = 0.4
"""Intersection over union from which two detections of a class are the same object."""


@dataclass(frozen=True, eq=False)
class FinishedPicture:
    """A finished picture and the options of its residual check.

    Attributes
    ----------
    picture
        The file, decoded again.
    hidden
        The painted boxes, in pixels of `Photo.pixels`, in which frames are stacked vertically.
    options
        Detection options of the photo; the threshold is not used.
    check
        Quick, full or none.
    """

    picture: Photo
    hidden: Sequence[Box]
    options: DetectionOptions
    check: ResidualCheck

    def residual(
        self, detector: ObjectDetector, first: DetectionResult | None = None, known: OutputCache = EMPTY_CACHE
    ) -> tuple[DetectedObject, ...]:
        """Return the residual detections of a detector's class, best first.

        Parameters
        ----------
        detector
            A detector of one class.
        first
            Result of the detection in the photo; its ``left_open`` counts as well. Without one, the quick
            check runs the full detector in `Quality.FAST` instead of the proposal network.
        known
            For the full check see `find_residual`, for the quick one
            `obscura.anonymisation.residual.proposals`.
        """
        if self.check is ResidualCheck.OFF:
            return ()
        if first is not None:
            before = self._not_hidden((*first.left_open, *first.detections))
            found = (*before, *self._detections(detector, known))
        elif self.check is ResidualCheck.QUICK:
            name = detector.card.class_name
            usual = detector.card.min_confidence * RESIDUAL_THRESHOLD_FACTOR
            threshold = AFTER_REDACT_THRESHOLDS.get(name, usual)
            fast = replace(self.options, quality=Quality.FAST, min_confidence=threshold)
            found = _visible(detector, self.picture, self.hidden, fast)
        else:
            found = self._detections(detector, known)
        residual = _distinct(found)
        count(catalogue.RESIDUAL_DETECTIONS, detector.card.class_name, by=len(residual))
        return residual

    def _detections(self, detector: ObjectDetector, known: OutputCache) -> tuple[DetectedObject, ...]:
        is_full = self.check is ResidualCheck.FULL
        if is_full or not isinstance(detector, Detector) or detector.networks.proposal is None:
            return find_residual(detector, self.picture, self.hidden, self.options, known)
        with stage(Stage.RESIDUAL_CHECK, model=detector.card.name) as attributes:
            found = proposals(detector, self.picture, self.options.inputs, known=known)
            residual = self._not_hidden(found)
            attributes["seen"] = len(residual)
        return residual

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
    """Return each object once, with its best score, best first."""
    kept: list[DetectedObject] = []
    for item in sorted(found, key=lambda item: -item.confidence):
        box = Box(*item.xyxy)
        if all(other.frame != item.frame or box.iou(Box(*other.xyxy)) < SAME_OBJECT for other in kept):
            kept.append(item)
    return tuple(kept)


def find_residual(
    detector: ObjectDetector,
    picture: Photo,
    hidden: Sequence[Box],
    options: DetectionOptions,
    known: OutputCache = EMPTY_CACHE,
) -> tuple[DetectedObject, ...]:
    """Return what a detector finds outside the hidden areas of a finished picture: the full check.

    Parameters
    ----------
    detector
        A detector of one class.
    picture
        The redacted picture.
    hidden
        The painted boxes; see `FinishedPicture.hidden`.
    options
        Detection options; the threshold is not used.
    known
        Raw outputs of the photo that are valid for the redacted picture; see
        `obscura.detection.output_cache.Changes`.
    """
    threshold = detector.card.min_confidence * RESIDUAL_THRESHOLD_FACTOR
    return _visible(detector, picture, hidden, replace(options, min_confidence=threshold), known)


def _visible(
    detector: ObjectDetector,
    picture: Photo,
    hidden: Sequence[Box],
    options: DetectionOptions,
    known: OutputCache = EMPTY_CACHE,
) -> tuple[DetectedObject, ...]:
    """Return what a detector finds outside the hidden areas, from the threshold of ``options`` on."""
    with stage(Stage.RESIDUAL_CHECK, model=detector.card.name) as attributes:
        part, _ = detect_photo(detector, picture, replace(options, is_finished=True), known)
        residual = not_hidden(part.detections, hidden, picture.size.height)
        attributes["seen"] = len(residual)
    return residual


def outside(found: Sequence[DetectedObject], zones: Sequence[Box]) -> tuple[DetectedObject, ...]:
    """Return the detections that do not lie wholly inside one of the exclusion ``zones``."""
    return tuple(item for item in found if not Box(*item.xyxy).lies_in_one_of(zones))


def hidden_share(box: Box, hidden: Sequence[Box]) -> float:
    """Return the share of ``box``, 0..1, covered by the union of ``hidden``, in whole pixels."""
    outer = box.outward()
    left, top, right, bottom = outer.rounded()
    if right <= left or bottom <= top:
        return 0.0
    covered = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for other in hidden:
        x1, y1, x2, y2 = other.shift(-left, -top).rounded()
        covered[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = True
    return float(covered.mean())
