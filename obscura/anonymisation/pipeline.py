"""The photo pipeline in one process: detect, redact, verify, check for residual detections.

The photo is decoded once and the finished file once. The full residual check runs the network on the slices
in which pixels of the finished file differ from the photo's, and reuses the raw output of the others. The
quick one reuses what the proposal network saw in the photo, if the two differ around hidden areas only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from obscura.anonymisation.detect import detect_and_count
from obscura.anonymisation.residual_check import FinishedPicture
from obscura.contract import DetectedObject, DetectionResult, ObjectClass, ResidualCheck
from obscura.detection.detections import DetectionOptions
from obscura.detection.extra import ObjectDetector
from obscura.detection.inputs import Inputs
from obscura.detection.output_cache import EMPTY_CACHE, Changes, OutputCache
from obscura.geometry import Box
from obscura.imaging.open import Photo

__all__ = ["PhotoPipeline", "PipelineResult"]

CODING_MARGIN: Final = 32.0
"""Pixels around a hidden box that may differ too: a JPEG is changed in whole blocks, and their chroma is
interpolated."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class PipelineResult:
    """Detection results and output caches of all detectors for one photo; empty without detection."""

    photo: Photo
    parts: Mapping[ObjectClass, DetectionResult] = field(default_factory=dict)
    caches: Mapping[ObjectClass, OutputCache] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PhotoPipeline:
    """Detects in photos with one detector per class.

    Attributes
    ----------
    detectors
        By class, in the order of the results.
    options
        Detection options.
    between
        Called before each detector runs; an exception from it ends the work.
    """

    detectors: Mapping[ObjectClass, ObjectDetector]
    options: DetectionOptions
    between: Callable[[], None] = _nothing

    def detect(self, photo: Photo) -> PipelineResult:
        """Return the detection results of all classes for a photo."""
        parts: dict[ObjectClass, DetectionResult] = {}
        caches: dict[ObjectClass, OutputCache] = {}
        options = replace(self.options, inputs=Inputs(photo.pixels))
        for name, detector in self.detectors.items():
            self.between()
            parts[name], caches[name] = detect_and_count(detector, photo, options)
        return PipelineResult(photo, MappingProxyType(parts), MappingProxyType(caches))

    def find_residual(
        self, first: PipelineResult, shown: Photo, hidden: Sequence[Box], check: ResidualCheck
    ) -> Mapping[ObjectClass, tuple[DetectedObject, ...]]:
        """Return the residual detections in a finished file, by class.

        Parameters
        ----------
        first
            Results for the photo; without parts where detection did not run.
        shown
            The finished file, decoded again.
        hidden
            The boxes that were painted over, in pixels of the picture.
        check
            Quick, full or none.
        """
        if check is ResidualCheck.OFF:
            return {}
        changes = None
        if first.caches and shown.pixels.shape == first.photo.pixels.shape:
            changes = Changes.between(first.photo.pixels, shown.pixels)
        options = replace(self.options, inputs=Inputs(shown.pixels))
        finished = FinishedPicture(shown, hidden, options, check)
        residual: dict[ObjectClass, tuple[DetectedObject, ...]] = {}
        for name, detector in self.detectors.items():
            self.between()
            cache = first.caches.get(name, EMPTY_CACHE)
            residual[name] = finished.residual(
                detector, first.parts.get(name), _valid(cache, changes, hidden, check)
            )
        return residual


def _valid(
    cache: OutputCache, changes: Changes | None, hidden: Sequence[Box], check: ResidualCheck
) -> OutputCache:
    """Return the raw outputs of the photo that a check of the finished file may use."""
    if changes is None:
        return EMPTY_CACHE
    if check is ResidualCheck.FULL:
        return changes.outside(cache)
    return cache if changes.lie_within(hidden, CODING_MARGIN) else EMPTY_CACHE
