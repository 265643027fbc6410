"""The quick residual check: one pass of the proposal network over a finished picture.

Every hidden pixel is proved by `obscura.anonymisation.verify`, so only what is not hidden matters here,
and for an object large enough to tell somebody by, the proposal network is enough (figures in
`docs/explanation/verdict.md`). Equal pixels give equal answers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from obscura.contract import DetectedObject, ObjectClass, Quality
from obscura.detection.arrays import Floats, Mask
from obscura.detection.decode import decode
from obscura.detection.detector import Detector
from obscura.detection.inputs import Inputs
from obscura.detection.merging import Candidates, concatenate, merge_passes
from obscura.detection.nms import suppress
from obscura.detection.priors import plausible, priors_for
from obscura.detection.tiling import Pass, Sight, is_panorama, plan_passes, wrap_width
from obscura.detection.voting import vote
from obscura.geometry import Box, Size
from obscura.imaging.metadata import gpano
from obscura.imaging.open import Photo

__all__ = ["REVIEW_THRESHOLDS", "check_passes", "proposals"]

REVIEW_THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType({"face": 0.45, "plate": 0.4})
"""Score of the proposal network, 0..1, from which something that is not hidden needs a person's look.

Chosen by ``python -m benchmarks.verdict``; measure again after training."""

_DEFAULT_THRESHOLD: Final = 0.3
"""Of a class that was not calibrated."""

_SIGHT: Final = Sight(enlargement=2.0, tile_scale=0.5)
"""Small photos at up to twice their size, one pass at the photo's own size up to 1280 pixels; beyond, tiles
in which an object of 32 pixels still has 16."""

_EDGE: Final = 4.0
"""Input pixels from a tile's edge within which a box counts as cut by it."""


class _View(NamedTuple):
    """A frame as the passes see it: a panorama with the columns behind its seam, and its own width."""

    inputs: Inputs
    size: Size
    period: float | None


def proposals(
    detector: Detector, picture: Photo, inputs: Inputs | None = None, threshold: float | None = None
) -> tuple[DetectedObject, ...]:
    """Return what the proposal network of a detector finds in a picture from the review threshold on.

    Parameters
    ----------
    detector
        A detector of one class that has a proposal network.
    picture
        The finished picture; every frame of it is looked at.
    inputs
        Of its pixels, where several classes share them: the network then runs once for all.
    threshold
        Score, 0..1, from which a box counts; the class's own of `REVIEW_THRESHOLDS` where None.

    Returns
    -------
    tuple
        Boxes in pixels of the upright picture, clipped to it; ``frame`` is set where there are several.

    Raises
    ------
    ModelError
        If there is no proposal network.
    """
    if threshold is None:
        threshold = REVIEW_THRESHOLDS.get(detector.card.class_name, _DEFAULT_THRESHOLD)
    found: list[DetectedObject] = []
    for number, frame in enumerate(picture.frames):
        view = _view(frame, inputs)
        boxes = _found(detector, view, threshold)
        boxes = boxes.take(plausible(boxes.boxes, frame.size, priors_for(detector.card.class_name)))
        found += [
            DetectedObject(
                class_name=ObjectClass(detector.card.class_name),
                xyxy=(round(part.x1, 2), round(part.y1, 2), round(part.x2, 2), round(part.y2, 2)),
                confidence=round(score, 4),
                frame=None if picture.strip is None else number,
            )
            for corners, score in zip(boxes.boxes.tolist(), boxes.scores.tolist(), strict=True)
            for part in _parts(Box(*corners), frame.size, view.period)
        ]
    return tuple(found)


def _view(frame: Photo, inputs: Inputs | None) -> _View:
    """Return what the passes see of one frame."""
    pixels, size = frame.pixels, frame.size
    own = gpano.goes_around(frame.panorama) if frame.orientation == 1 else None
    if is_panorama(size) if own is None else own:
        wrap = wrap_width(size)
        wide = np.concatenate([pixels, pixels[:, :wrap]], axis=1)
        return _View(Inputs(wide), Size(size.width + wrap, size.height), size.width)
    shared = inputs if inputs is not None and inputs.pixels is pixels else Inputs(pixels)
    return _View(shared, size, None)


def _found(detector: Detector, view: _View, threshold: float) -> Candidates:
    """Return what all passes of the proposal network see, without duplicates, in pixels of the view."""
    parts = []
    for number, item in enumerate(check_passes(view.size)):
        seen = detector.scouted(view.inputs, item)
        raw = decode(seen.output, threshold)
        kept = suppress(raw.boxes, raw.scores, detector.card.max_overlap)
        in_region = seen.placing.to_image_frame(vote(raw.boxes[kept], raw.boxes, raw.scores))
        offset = np.array([item.region.left, item.region.top] * 2, dtype=np.float32)
        parts.append(
            Candidates(
                in_region + offset,
                raw.scores[kept],
                _cut(in_region, item, seen.placing.scale.x),
                np.full(len(kept), number, dtype=np.intp),
                np.full(len(kept), seen.placing.scale.x, dtype=np.float32),
            )
        )
    return merge_passes(concatenate(parts), detector.card.max_overlap, view.period)


def check_passes(size: Size) -> tuple[Pass, ...]:
    """Return the passes over a picture; one at half the scale goes with a single one, for large faces."""
    planned = plan_passes(size, Quality.BALANCED, _SIGHT)
    if len(planned) == 1:
        (whole,) = planned
        planned = (replace(whole, long_side=max(1, whole.long_side // 2)), whole)
    return tuple(replace(item, scouted=True) for item in planned)


def _cut(boxes: Floats, item: Pass, scale: float) -> Mask:
    """Return which boxes ``[n, 4]`` reach an edge of their tile behind which the picture goes on."""
    margin, (width, height) = _EDGE / scale, item.region.size
    reaching = np.stack(
        [
            boxes[:, 0] <= margin,
            boxes[:, 1] <= margin,
            boxes[:, 2] >= width - margin,
            boxes[:, 3] >= height - margin,
        ],
        axis=1,
    )
    cut: Mask = (reaching & np.array(item.cuts)).any(axis=1)
    return cut


def _parts(box: Box, size: Size, period: float | None) -> Iterator[Box]:
    """Yield the parts of a box inside the picture; one across the seam of a panorama has two."""
    for turn in (0.0,) if period is None else (-period, 0.0):
        part = box.shift(turn, 0.0).clip(size)
        if not part.is_empty:
            yield part
