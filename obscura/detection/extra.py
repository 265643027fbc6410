"""Detectors of extra classes: the protocol that the pipeline needs, and an adapter for a function."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Protocol

import numpy as np

from obscura.contract.classes import ExtraClass
from obscura.detection.arrays import Pixels
from obscura.detection.detections import CachedDetections, Detection, DetectionOptions, threshold_of
from obscura.detection.engines import EngineOptions
from obscura.detection.nms import suppress
from obscura.detection.output_cache import EMPTY_CACHE, OutputCache
from obscura.detection.weights import ModelCard
from obscura.errors import ClassUnavailableError
from obscura.geometry import Size
from obscura.observability import inference

__all__ = ["ExtraDetector", "ObjectDetector", "card_of", "open_extra", "require_packages"]


class ObjectDetector(Protocol):
    """Detects one class of objects; `Detector` and `ExtraDetector` are such detectors."""

    card: ModelCard

    @property
    def engine(self) -> str:
        """Name of what runs it, for reports."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, such as ``"cpu"``."""
        ...

    def detect(self, pixels: Pixels, options: DetectionOptions | None = None) -> tuple[Detection, ...]:
        """Return the detections in a photo, best first; see `Detector.detect_with_cache`."""
        ...

    def detect_with_cache(
        self, pixels: Pixels, options: DetectionOptions | None = None, known: OutputCache = EMPTY_CACHE
    ) -> CachedDetections:
        """Return the detections in a photo and the raw outputs that may be used again."""
        ...

    def warm_up(self) -> None:
        """Prepare for the first photo."""
        ...

    def close(self) -> None:
        """Free what was loaded."""
        ...


class ExtraDetector:
    """Detects one class with a function over the pixels of a photo.

    Parameters
    ----------
    card
        Name, version and thresholds; see `card_of`.
    find
        Returns the objects in pixels ``uint8[height, width, 3]``, RGB, upright, in any order; boxes may reach
        beyond the picture.
    engine
        Name of what runs it, for reports.
    """

    device = "cpu"

    def __init__(
        self,
        card: ModelCard,
        find: Callable[[Pixels, DetectionOptions], Iterable[Detection]],
        engine: str,
    ) -> None:
        self.card = card
        self.engine = engine
        self._find = find

    def detect(self, pixels: Pixels, options: DetectionOptions | None = None) -> tuple[Detection, ...]:
        """Return the detections from the threshold on, clipped, without duplicates, best first."""
        options = options or DetectionOptions()
        size = Size(pixels.shape[1], pixels.shape[0])
        least = threshold_of(self.card, options)
        with inference(self.card.name, self.device):
            found = [replace(item, box=item.box.clip(size)) for item in self._find(pixels, options)]
        found = [item for item in found if item.confidence >= least and not item.box.is_empty]
        if not found:
            return ()
        boxes = np.array([item.box for item in found], np.float32)
        scores = np.array([item.confidence for item in found], np.float32)
        return tuple(found[number] for number in suppress(boxes, scores, self.card.max_overlap))

    def detect_with_cache(
        self, pixels: Pixels, options: DetectionOptions | None = None, known: OutputCache = EMPTY_CACHE
    ) -> CachedDetections:
        """As `detect`; there are no raw outputs to use again."""
        del known
        return CachedDetections(self.detect(pixels, options), EMPTY_CACHE)

    def warm_up(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def card_of(extra: ExtraClass, package: str, licence: str, min_confidence: float) -> ModelCard:
    """Return the model card of a class that an installed distribution detects; ``package`` is its name."""
    return ModelCard(
        name=package,
        class_name=extra.name,
        version=metadata.version(package),
        licence=licence,
        input_size=0,
        min_confidence=min_confidence,
        max_overlap=0.5,
        files={},
    )


def open_extra(extra: ExtraClass, models_dir: Path, engine: EngineOptions) -> ObjectDetector:
    """Return the detector of a class: the answer of the function that `ExtraClass.detector` names.

    That function gets the same arguments.

    Raises
    ------
    ClassUnavailableError
        If a package of the class is not installed.
    ModelError
        If its weights cannot be used.
    """
    require_packages(extra)
    module, _, function = extra.detector.partition(":")
    detector: ObjectDetector = getattr(import_module(module), function)(extra, models_dir, engine)
    return detector


def require_packages(extra: ExtraClass) -> None:
    """Raise ClassUnavailableError if a package of the class is not installed."""
    if extra.missing:
        message = f"the class {extra.name} needs the package {', '.join(extra.missing)}: {extra.installation}"
        raise ClassUnavailableError(message)
