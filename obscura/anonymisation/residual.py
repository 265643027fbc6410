"""The quick residual check: the proposal network over a finished picture.

Hidden pixels are verified by `obscura.anonymisation.verify`, so only visible objects matter here, and for an
object large enough to identify somebody the proposal network has sufficient recall (figures in
`docs/explanation/verdict.md`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from obscura.contract import DetectedObject, ObjectClass, Quality
from obscura.detection.decode import RawBoxes, decode
from obscura.detection.detector import Detector
from obscura.detection.inputs import Inputs
from obscura.detection.merging import Candidates, candidates_of, concatenate, merge_slices
from obscura.detection.nms import suppress
from obscura.detection.output_cache import EMPTY_CACHE, OutputCache
from obscura.detection.priors import plausible, priors_for
from obscura.detection.tiling import InferenceScales, InferenceSlice, is_panorama, plan_slices, wrap_width
from obscura.detection.voting import vote
from obscura.geometry import Box, Size
from obscura.imaging.metadata import gpano
from obscura.imaging.open import Photo

__all__ = ["RESIDUAL_THRESHOLDS", "check_slices", "proposals"]

RESIDUAL_THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType({"face": 0.45, "plate": 0.4})
"""Score of the proposal network, 0..1, from which a visible detection makes the verdict ``needs_review``.

Chosen by ``python -m benchmarks.verdict``; measure again after training."""

_DEFAULT_THRESHOLD: Final = 0.3
"""Threshold of a class that was not calibrated."""

_SCALES: Final = InferenceScales(enlargement=2.0, tile_scale=0.5)
"""Small photos are enlarged up to twice, photos up to 1280 pixels get one slice at their own size, larger
ones tiles in which an object of 32 pixels has 16."""


class _View(NamedTuple):
    """Inputs and size of a frame; a panorama is extended behind its seam, and ``period`` is its own width."""

    inputs: Inputs
    size: Size
    period: float | None


def proposals(
    detector: Detector,
    picture: Photo,
    inputs: Inputs | None = None,
    threshold: float | None = None,
    known: OutputCache = EMPTY_CACHE,
) -> tuple[DetectedObject, ...]:
    """Return what the proposal network of a detector finds in a picture from the review threshold on.

    Parameters
    ----------
    detector
        A detector of one class that has a proposal network.
    picture
        The finished picture; all its frames are searched.
    inputs
        Network inputs of its pixels, shared by several classes: the network then runs once for all.
    threshold
        Score, 0..1, from which a box counts; the class's own of `RESIDUAL_THRESHOLDS` where None.
    known
        The detector's raw outputs for the photo. Only to be given where the picture is a single one that
        equals the photo outside of what is hidden. If the proposal network saw the photo at least as large as
        the check would, it runs over the coarsest slice of the picture only.

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
        threshold = RESIDUAL_THRESHOLDS.get(detector.card.class_name, _DEFAULT_THRESHOLD)
    found: list[DetectedObject] = []
    for number, frame in enumerate(picture.frames):
        view = _view(frame, inputs)
        boxes = _found(detector, view, threshold, known)
        boxes = boxes.take(plausible(boxes, frame.size, priors_for(detector.card.class_name)))
        found += [
            DetectedObject(
                class_name=ObjectClass(detector.card.class_name),
                xyxy=(round(part.x1, 2), round(part.y1, 2), round(part.x2, 2), round(part.y2, 2)),
                confidence=round(score, 4),
                frame=None if picture.frame_stack is None else number,
            )
            for corners, score in zip(boxes.boxes.tolist(), boxes.scores.tolist(), strict=True)
            for part in _parts(Box(*corners), frame.size, view.period)
        ]
    return tuple(found)


def _view(frame: Photo, inputs: Inputs | None) -> _View:
    """Return the inputs of one frame."""
    pixels, size = frame.pixels, frame.size
    own = gpano.is_full_circle(frame.panorama) if frame.orientation == 1 else None
    if is_panorama(size) if own is None else own:
        wrap = wrap_width(size)
        wide = np.concatenate([pixels, pixels[:, :wrap]], axis=1)
        return _View(Inputs(wide), Size(size.width + wrap, size.height), size.width)
    shared = inputs if inputs is not None and inputs.pixels is pixels else Inputs(pixels)
    return _View(shared, size, None)


def _found(detector: Detector, view: _View, threshold: float, known: OutputCache) -> Candidates:
    """Return the proposals in all slices, without duplicates, in pixels of the view."""
    seen = {item: output for item, output in known.items() if item.is_proposal}
    planned = check_slices(view.size)
    if _scale(seen) >= _scale(planned):
        planned = planned[:1]
    else:
        seen = {}
    seen |= {item: detector.networks.run_proposal_network(view.inputs, item) for item in planned}
    parts = []
    for number, (item, output) in enumerate(seen.items()):
        raw = decode(output.output, threshold)
        kept = suppress(raw.boxes, raw.scores, detector.card.max_overlap)
        boxes = vote(raw.boxes[kept], raw.boxes, raw.scores)
        parts.append(candidates_of(item, output.placing, RawBoxes(boxes, raw.scores[kept]), number))
    return merge_slices(concatenate(parts), detector.card.max_overlap, view.period)


def _scale(slices: Iterable[InferenceSlice]) -> float:
    """Return the largest number of input pixels per pixel of the picture; 0 without slices."""
    return max((item.long_side / item.region.size.long_side for item in slices), default=0.0)


def check_slices(size: Size) -> tuple[InferenceSlice, ...]:
    """Return the slices of a picture; a single slice is joined by one at half its scale, for large faces."""
    planned = plan_slices(size, Quality.BALANCED, _SCALES)
    if len(planned) == 1:
        (whole,) = planned
        planned = (replace(whole, long_side=max(1, whole.long_side // 2)), whole)
    return tuple(replace(item, is_proposal=True) for item in planned)


def _parts(box: Box, size: Size, period: float | None) -> Iterator[Box]:
    """Yield the parts of a box inside the picture; a box across the seam of a panorama has two."""
    for turn in (0.0,) if period is None else (-period, 0.0):
        part = box.shift(turn, 0.0).clip(size)
        if not part.is_empty:
            yield part
