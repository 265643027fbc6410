"""Detect in the frames of a video: fully in key frames, by the proposal network in between."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from obscura.detection.adaptive import ACTIVITY_SCORE
from obscura.detection.arrays import Pixels
from obscura.detection.detections import Detection, DetectionOptions, threshold_of
from obscura.detection.detector import Detector
from obscura.detection.extra import ObjectDetector
from obscura.detection.inputs import Inputs
from obscura.detection.tiling import Quality
from obscura.video.tracking import TrackedBox, Tracker

__all__ = ["FrameDetector"]

UNSURE_SHARE: Final = 0.5
"""Share of a photo's threshold from which a detection is followed without being hidden by itself."""

SURE_PROPOSAL: Final = 0.7
"""Score from which a proposal is sure without the full detector: in a photo it is not re-scored either."""

SPACING_S: Final = 0.15
"""Seconds between two full detections of a class at least, unless a shot begins."""


class FrameDetector:
    """Detects in one frame after the other, for a tracker.

    The full detector runs where a shot begins, every ``interval_s`` seconds, and where the proposals leave
    open what the tracks show (`Tracker.is_weak`). Between two such frames a proposal is sure from
    `SURE_PROPOSAL` on only; a weaker one continues a track, and is hidden if the full detector finds the
    object in a later frame. `Quality.THOROUGH` and detectors without a proposal network run fully on all
    frames.
    """

    def __init__(
        self,
        detectors: Sequence[ObjectDetector],
        options: DetectionOptions,
        tracker: Tracker,
        rate: float,
        interval_s: float,
    ) -> None:
        self._detectors = detectors
        self._options = options
        self._tracker = tracker
        self._interval = max(1, round(interval_s * rate))
        self._spacing = max(1, round(SPACING_S * rate))
        self._key: dict[str, int] = {}

    def cut(self) -> None:
        """Note that the next frame begins a shot."""
        self._key.clear()

    def find(self, frame: int, pixels: Pixels) -> list[TrackedBox]:
        """Return the detections in an upright frame, sure and unsure ones."""
        options = replace(self._options, inputs=Inputs(pixels))
        return [item for detector in self._detectors for item in self._find(frame, pixels, detector, options)]

    def _find(
        self, frame: int, pixels: Pixels, detector: ObjectDetector, options: DetectionOptions
    ) -> Iterator[TrackedBox]:
        name, threshold = detector.card.class_name, threshold_of(detector.card, options)
        key = self._key.get(name)
        if (
            isinstance(detector, Detector)
            and detector.networks.proposal is not None
            and options.quality is not Quality.THOROUGH
            and key is not None
            and frame - key < self._interval
        ):
            proposals = detector.propose(pixels, replace(options, min_confidence=ACTIVITY_SCORE))
            seen = list(_tracked(proposals, max(threshold, SURE_PROPOSAL)))
            strong = sum(item.confidence >= threshold for item in proposals)
            if frame - key < self._spacing or not self._tracker.is_weak(frame, name, seen, strong, key):
                yield from seen
                return
        self._key[name] = frame
        found = detector.detect(pixels, replace(options, min_confidence=threshold * UNSURE_SHARE))
        yield from _tracked(found, threshold)


def _tracked(found: Sequence[Detection], threshold: float) -> Iterator[TrackedBox]:
    for item in found:
        yield TrackedBox(item.class_name, item.box, item.confidence >= threshold)
