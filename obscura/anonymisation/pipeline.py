"""The photo pipeline in one process: detect, redact, verify, check for residual detections.

The photo is decoded once and the finished file once; the second look runs the network where pixels of the
finished file differ from the photo's, and takes its first answer where every pixel is the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from obscura.anonymisation.detect import find_at
from obscura.anonymisation.residual_check import find_residual
from obscura.contract import DetectedObject, DetectionResult, ObjectClass
from obscura.detection.detector import DetectionOptions, Detector
from obscura.detection.inputs import Inputs
from obscura.detection.output_cache import NOTHING_SEEN, Changes, Memory
from obscura.geometry import Box
from obscura.imaging.open import Photo

__all__ = ["PhotoPipeline", "PipelineResult"]


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class PipelineResult:
    """What all detectors found in one photo, and what they remember of it."""

    photo: Photo
    parts: Mapping[ObjectClass, DetectionResult]
    memories: Mapping[ObjectClass, Memory]


@dataclass(frozen=True, eq=False)
class PhotoPipeline:
    """Looks at photos with a detector per class.

    Attributes
    ----------
    detectors
        In the order of their answers.
    options
        How to look.
    between
        Called before each detector's turn; what it raises ends the work.
    """

    detectors: Mapping[ObjectClass, Detector]
    options: DetectionOptions
    between: Callable[[], None] = _nothing

    def look(self, photo: Photo) -> PipelineResult:
        """Return what is in a photo."""
        parts: dict[ObjectClass, DetectionResult] = {}
        memories: dict[ObjectClass, Memory] = {}
        options = replace(self.options, inputs=Inputs(photo.pixels))
        for name, detector in self.detectors.items():
            self.between()
            parts[name], memories[name] = find_at(detector, photo, options)
        return PipelineResult(photo, MappingProxyType(parts), MappingProxyType(memories))

    def find_residual(
        self, first: PipelineResult, shown: Photo, hidden: Sequence[Box]
    ) -> Mapping[ObjectClass, tuple[DetectedObject, ...]]:
        """Return what is still to be seen in a finished file.

        Parameters
        ----------
        first
            What was found in the photo.
        shown
            The finished file, decoded again.
        hidden
            The boxes that were painted over, in pixels of the picture.
        """
        same_size = shown.pixels.shape == first.photo.pixels.shape
        changes = Changes.between(first.photo.pixels, shown.pixels) if same_size else None
        options = replace(self.options, inputs=Inputs(shown.pixels))
        suspects: dict[ObjectClass, tuple[DetectedObject, ...]] = {}
        for name, detector in self.detectors.items():
            self.between()
            known = NOTHING_SEEN if changes is None else changes.outside(first.memories[name])
            suspects[name] = find_residual(detector, shown, hidden, options, known)
        return suspects
