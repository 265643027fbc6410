"""Detect objects in a photo: from settings and bytes to a detection result."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from obscura.contract import (
    DetectedObject,
    DetectionResult,
    Frames,
    ImageInfo,
    JobOptions,
    ModelInfo,
    ObjectClass,
)
from obscura.detection.backends.compiled import default_folder
from obscura.detection.detector import (
    Detection,
    DetectionOptions,
    Detector,
    Look,
    open_detector,
    threshold_of,
)
from obscura.detection.engines import EngineOptions
from obscura.detection.nms import overlaps, suppress
from obscura.detection.output_cache import NOTHING_SEEN, Changes, Memory
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest, verified_path
from obscura.geometry import Box, Size
from obscura.imaging.composites import composites
from obscura.imaging.configured_limits import validation_limits
from obscura.imaging.metadata import gpano
from obscura.imaging.open import Photo, decode
from obscura.observability import Stage, catalogue, count, stage
from obscura.settings import Settings

__all__ = [
    "check_weights",
    "compiled_folder",
    "detection_options",
    "find_at",
    "find_objects",
    "load_all",
    "load_for",
    "look_at",
    "open_photo",
]


def load_for(
    settings: Settings,
    class_name: ObjectClass,
    thread_count: int,
    beside: Iterable[Detector] = (),
    *,
    is_deferred: bool = False,
) -> Detector:
    """Return a detector of ``class_name``; raise ModelError where that is impossible.

    Parameters
    ----------
    settings
        Which weights, and how they are run.
    class_name
        What it shall find.
    thread_count
        Of one inference.
    beside
        Detectors that the same thread has loaded with these settings: what can be shared is.
    is_deferred
        For a process that ends after a few photos: nothing is warmed up, and the class's own network is
        loaded once a photo needs it. Otherwise all is loaded and warm.
    """
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name.value)
    cache = compiled_folder(settings)
    engine = EngineOptions(settings.engine, thread_count, settings.device, settings.precision, cache)
    detector = open_detector(folder, card, engine, beside, is_deferred=is_deferred)
    # OpenCV's own threads would come on top: one pool per process, each as large as the machine.
    cv2.setNumThreads(thread_count)
    if not is_deferred:
        detector.warm_up()
    return detector


def compiled_folder(settings: Settings) -> Path | None:
    """Return the folder for compiled networks that the settings mean, or None."""
    if settings.compiled_dir == "off":
        return None
    return default_folder() if settings.compiled_dir == "auto" else Path(settings.compiled_dir)


def load_all(
    settings: Settings, classes: Sequence[ObjectClass], thread_count: int, *, is_deferred: bool = False
) -> dict[ObjectClass, Detector]:
    """Return the detectors of ``classes`` for one thread; see `load_for`."""
    detectors: dict[ObjectClass, Detector] = {}
    for name in classes:
        detectors[name] = load_for(settings, name, thread_count, detectors.values(), is_deferred=is_deferred)
    return detectors


def check_weights(settings: Settings, class_name: ObjectClass) -> None:
    """Raise ModelError unless the weights of ``class_name`` are there and have their checksum."""
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name.value)
    for weights in card.all_files.values():
        verified_path(folder, weights)


def open_photo(data: bytes, settings: Settings, frames: Frames = Frames.ONE) -> Photo:
    """Decode a photo under the limits of this installation; raise PhotoError where that fails."""
    with stage(Stage.DECODE) as told:
        photo = decode(data, validation_limits(settings, frames))
        told |= {"format": photo.header.format.value, "width": photo.size.width, "height": photo.size.height}
    return photo


def detection_options(options: JobOptions) -> DetectionOptions:
    """Return how a detector shall look."""
    return DetectionOptions(quality=options.quality, min_confidence=options.min_confidence)


def find_objects(detector: Detector, photo: Photo, options: DetectionOptions) -> DetectionResult:
    """Look at ``photo`` and return what was found, boxes clipped to the upright picture."""
    return find_at(detector, photo, options)[0]


def find_at(detector: Detector, photo: Photo, options: DetectionOptions) -> tuple[DetectionResult, Memory]:
    """Detect in ``photo`` and count what is found.

    Where the threshold of ``options`` is above the model's own, what lies between them is in ``left_open``.
    """
    threshold = threshold_of(detector.card, options)
    least = min(threshold, detector.card.min_confidence)
    with stage(Stage.DETECT, model=detector.card.name) as told:
        part, memory = look_at(detector, photo, replace(options, min_confidence=least))
        if threshold > least:
            part = _divided(part, threshold)
        told["found"] = len(part.detections)
    count(catalogue.DETECTIONS, detector.card.class_name, by=len(part.detections))
    return part, memory


def _divided(part: DetectionResult, threshold: float) -> DetectionResult:
    """Move detections below a threshold to ``left_open``."""
    above = tuple(item for item in part.detections if item.confidence >= threshold)
    below = tuple(item for item in part.detections if item.confidence < threshold)
    return part.model_copy(update={"detections": above, "left_open": below})


def look_at(
    detector: Detector, photo: Photo, options: DetectionOptions, known: Memory = NOTHING_SEEN
) -> tuple[DetectionResult, Memory]:
    """Return what was found in ``photo``, and the memory of the look; for ``known`` see `Detector.look`.

    Where there is transparency, what was found over black and over white is told as well: see `composites`.
    """
    if options.panorama is None and photo.orientation == 1:
        # What the file says of itself; where it says nothing, the shape decides.
        options = replace(options, panorama=gpano.goes_around(photo.panorama))
    looks = [
        _look(detector, frame, options, known if photo.strip is None else NOTHING_SEEN)
        for frame in photo.frames
    ]
    card = detector.card
    part = DetectionResult(
        image=ImageInfo(**photo.size._asdict(), frames=None if photo.strip is None else photo.count),
        model=ModelInfo(
            name=card.name,
            version=card.version,
            engine=detector.engine,
            weights={kind: file.sha256 for kind, file in card.all_files.items()},
            min_confidence=card.min_confidence,
        ),
        detections=tuple(
            _detected(item, photo.size, None if photo.strip is None else number)
            for number, look in enumerate(looks)
            for item in look.found
        ),
    )
    return part, looks[0].memory if photo.strip is None else NOTHING_SEEN


def _look(detector: Detector, frame: Photo, options: DetectionOptions, known: Memory) -> Look:
    """Look at the colours of one frame, and at all that viewers may show of them where there is alpha."""
    look = detector.look(frame.pixels, options, known)
    found = [look.found]
    for view in composites(frame.pixels, frame.alpha):
        # Where a view shows the colours as they are, the network has said what it says.
        same = Changes.between(frame.pixels, view).outside(look.memory)
        found.append(detector.look(view, options, same).found)
    return look if len(found) == 1 else replace(look, found=_merged(found, detector.card.max_overlap))


def _merged(views: Sequence[Sequence[Detection]], max_overlap: float) -> tuple[Detection, ...]:
    """Return what was found in several views of one picture, surest first, each object once.

    Its box is the hull of those of all views: what is hidden has to be hidden in each of them.
    """
    every = [item for view in views for item in view]
    if not every:
        return ()
    boxes = np.array([item.box for item in every], np.float32)
    kept = suppress(boxes, np.array([item.confidence for item in every], np.float32), max_overlap)
    same = overlaps(boxes[kept], boxes) > max_overlap
    hulls = [(*boxes[row, :2].min(axis=0), *boxes[row, 2:].max(axis=0)) for row in same]
    return tuple(
        replace(every[number], box=Box(*map(float, hull))) for number, hull in zip(kept, hulls, strict=True)
    )


def _detected(item: Detection, size: Size, frame: int | None) -> DetectedObject:
    """Return a find as it is told: clipped to the picture, in hundredths of pixels."""
    box = item.box.clip(size)
    return DetectedObject(
        class_name=ObjectClass(item.class_name),
        xyxy=(round(box.x1, 2), round(box.y1, 2), round(box.x2, 2), round(box.y2, 2)),
        confidence=round(item.confidence, 4),
        frame=frame,
    )
