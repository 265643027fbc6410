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
    CachedDetections,
    Detection,
    DetectionOptions,
    Detector,
    open_detector,
    threshold_of,
)
from obscura.detection.engines import EngineOptions
from obscura.detection.nms import overlaps, suppress
from obscura.detection.output_cache import EMPTY_CACHE, Changes, OutputCache
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
    "detect_and_count",
    "detect_photo",
    "detection_options",
    "find_objects",
    "load_all",
    "load_for",
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
        Folder of the weights and engine options.
    class_name
        The class to detect.
    thread_count
        CPU threads of one inference.
    beside
        Detectors that the same thread has loaded with these settings; a common proposal network is shared.
    is_deferred
        For a process that ends after a few photos: nothing is warmed up, and the full detector is loaded when
        a photo needs it. Otherwise everything is loaded and warmed up.
    """
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name.value)
    cache = compiled_folder(settings)
    engine = EngineOptions(settings.engine, thread_count, settings.device, settings.precision, cache)
    detector = open_detector(folder, card, engine, beside, is_deferred=is_deferred)
    # Otherwise OpenCV starts a thread pool of its own in every process, as large as the machine.
    cv2.setNumThreads(thread_count)
    if not is_deferred:
        detector.warm_up()
    return detector


def compiled_folder(settings: Settings) -> Path | None:
    """Return the folder for compiled networks from the settings; None where it is switched off."""
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
    """Raise ModelError unless the weights of ``class_name`` exist and have the right checksum."""
    folder = settings.models_dir or default_models_dir()
    card = card_for_class(load_manifest(folder / "manifest.toml"), class_name.value)
    for weights in card.all_files.values():
        verified_path(folder, weights)


def open_photo(data: bytes, settings: Settings, frames: Frames = Frames.ONE) -> Photo:
    """Decode a photo under the limits of this installation; raise PhotoError where that fails."""
    with stage(Stage.DECODE) as attributes:
        photo = decode(data, validation_limits(settings, frames))
        attributes |= {
            "format": photo.header.format.value,
            "width": photo.size.width,
            "height": photo.size.height,
        }
    return photo


def detection_options(options: JobOptions) -> DetectionOptions:
    """Return the detector's options for a job."""
    return DetectionOptions(quality=options.quality, min_confidence=options.min_confidence)


def find_objects(detector: Detector, photo: Photo, options: DetectionOptions) -> DetectionResult:
    """Return the detections in ``photo``, boxes clipped to the upright picture."""
    return detect_and_count(detector, photo, options)[0]


def detect_and_count(
    detector: Detector, photo: Photo, options: DetectionOptions
) -> tuple[DetectionResult, OutputCache]:
    """Detect in ``photo`` and count the detections in the metrics.

    Where the threshold of ``options`` is above the model's own, detections between the two are in
    ``left_open``.
    """
    threshold = threshold_of(detector.card, options)
    least = min(threshold, detector.card.min_confidence)
    with stage(Stage.DETECT, model=detector.card.name) as attributes:
        part, cache = detect_photo(detector, photo, replace(options, min_confidence=least))
        if threshold > least:
            part = _divided(part, threshold)
        attributes["found"] = len(part.detections)
    count(catalogue.DETECTIONS, detector.card.class_name, by=len(part.detections))
    return part, cache


def _divided(part: DetectionResult, threshold: float) -> DetectionResult:
    """Move detections below a threshold to ``left_open``."""
    above = tuple(item for item in part.detections if item.confidence >= threshold)
    below = tuple(item for item in part.detections if item.confidence < threshold)
    return part.model_copy(update={"detections": above, "left_open": below})


def detect_photo(
    detector: Detector, photo: Photo, options: DetectionOptions, known: OutputCache = EMPTY_CACHE
) -> tuple[DetectionResult, OutputCache]:
    """Detect in every frame of ``photo``; for ``known`` see `Detector.detect_with_cache`.

    A picture with transparency is also searched over black and over white, see `composites`. Returns the
    result and the raw outputs of a single picture; no cache for several frames.
    """
    if options.panorama is None and photo.orientation == 1:
        # The GPano metadata decides; without it, the aspect ratio.
        options = replace(options, panorama=gpano.is_full_circle(photo.panorama))
    runs = [
        _detect_frame(detector, frame, options, known if photo.frame_stack is None else EMPTY_CACHE)
        for frame in photo.frames
    ]
    card = detector.card
    part = DetectionResult(
        image=ImageInfo(**photo.size._asdict(), frames=None if photo.frame_stack is None else photo.count),
        model=ModelInfo(
            name=card.name,
            version=card.version,
            engine=detector.engine,
            weights={kind: file.sha256 for kind, file in card.all_files.items()},
            min_confidence=card.min_confidence,
        ),
        detections=tuple(
            _detected(item, photo.size, None if photo.frame_stack is None else number)
            for number, run in enumerate(runs)
            for item in run.detections
        ),
    )
    return part, runs[0].cache if photo.frame_stack is None else EMPTY_CACHE


def _detect_frame(
    detector: Detector, frame: Photo, options: DetectionOptions, known: OutputCache
) -> CachedDetections:
    """Detect in the stored colours of one frame and, where it has alpha, in its composites."""
    run = detector.detect_with_cache(frame.pixels, options, known)
    found = [run.detections]
    for view in composites(frame.pixels, frame.alpha):
        # Slices in which the composite equals the stored colours need no second run.
        same = Changes.between(frame.pixels, view).outside(run.cache)
        found.append(detector.detect_with_cache(view, options, same).detections)
    return run if len(found) == 1 else replace(run, detections=_merged(found, detector.card.max_overlap))


def _merged(views: Sequence[Sequence[Detection]], max_overlap: float) -> tuple[Detection, ...]:
    """Return the detections in several views of one picture, best first, each object once.

    The box of an object is the hull of its boxes in all views, so that it is hidden in each of them.
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
    """Return a detection as a contract record: clipped to the picture, rounded to 0.01 pixels."""
    box = item.box.clip(size)
    return DetectedObject(
        class_name=ObjectClass(item.class_name),
        xyxy=(round(box.x1, 2), round(box.y1, 2), round(box.x2, 2), round(box.y2, 2)),
        confidence=round(item.confidence, 4),
        frame=frame,
    )
