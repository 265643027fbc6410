"""The photo pipeline in one process: detect, redact, verify, check for residual detections.

The photo is decoded once and the finished file once; the full residual check runs the network where pixels of
the finished file differ from the photo's, and takes its first answer where every pixel is the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from obscura.anonymisation.detect import find_at
from obscura.anonymisation.residual_check import FinishedPicture
from obscura.contract import DetectedObject, DetectionResult, ObjectClass, ResidualCheck
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
    """What all detectors found in one photo, and what they remember of it; nothing where none has looked."""

    photo: Photo
    parts: Mapping[ObjectClass, DetectionResult] = field(default_factory=dict)
    memories: Mapping[ObjectClass, Memory] = field(default_factory=dict)


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
        self, first: PipelineResult, shown: Photo, hidden: Sequence[Box], check: ResidualCheck
    ) -> Mapping[ObjectClass, tuple[DetectedObject, ...]]:
        """Return what is found in a finished file outside of what is hidden, by class.

        Parameters
        ----------
        first
            What was found in the photo; without parts where nothing was looked for.
        shown
            The finished file, decoded again.
        hidden
            The boxes that were painted over, in pixels of the picture.
        check
            Quick, full or none.
        """
        if check is ResidualCheck.OFF:
            return {}
        is_compared = check is ResidualCheck.FULL and shown.pixels.shape == first.photo.pixels.shape
        changes = Changes.between(first.photo.pixels, shown.pixels) if is_compared else None
        options = replace(self.options, inputs=Inputs(shown.pixels))
        finished = FinishedPicture(shown, hidden, options, check)
        residual: dict[ObjectClass, tuple[DetectedObject, ...]] = {}
        for name, detector in self.detectors.items():
            self.between()
            memory = first.memories.get(name, NOTHING_SEEN)
            known = NOTHING_SEEN if changes is None else changes.outside(memory)
            residual[name] = finished.residual(detector, first.parts.get(name), known)
        return residual
