"""Detect objects in a photo: from bytes to a detection result."""

from collections.abc import Sequence
from dataclasses import replace

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
from obscura.detection.detections import CachedDetections, Detection, DetectionOptions, threshold_of
from obscura.detection.extra import ObjectDetector
from obscura.detection.nms import overlaps, suppress
from obscura.detection.output_cache import EMPTY_CACHE, Changes, OutputCache
from obscura.geometry import Box, Size
from obscura.imaging.composites import composites
from obscura.imaging.configured_limits import validation_limits
from obscura.imaging.metadata import gpano
from obscura.imaging.open import Photo, decode
from obscura.observability import Stage, catalogue, count, stage
from obscura.settings import Settings

__all__ = [
    "detect_and_count",
    "detect_photo",
    "detection_options",
    "find_objects",
    "open_photo",
]


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
    return DetectionOptions(
        quality=options.quality, min_confidence=options.min_confidence, text_match=options.text_match
    )


def find_objects(detector: ObjectDetector, photo: Photo, options: DetectionOptions) -> DetectionResult:
    """Return the detections in ``photo``, boxes clipped to the upright picture."""
    return detect_and_count(detector, photo, options)[0]


def detect_and_count(
    detector: ObjectDetector, photo: Photo, options: DetectionOptions
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
    detector: ObjectDetector, photo: Photo, options: DetectionOptions, known: OutputCache = EMPTY_CACHE
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
    detector: ObjectDetector, frame: Photo, options: DetectionOptions, known: OutputCache
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
