"""The detector: from the pixels of a photo to detections."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from obscura.detection.adaptive import ACTIVITY, FurtherPasses, activity_of, plan_further
from obscura.detection.arrays import Floats, Mask, Pixels
from obscura.detection.backends.base import Session
from obscura.detection.backends.deferred import DeferredSession
from obscura.detection.decode import BOX_ROWS, decode
from obscura.detection.engines import EngineChoice, EngineOptions, Precision, checked_opener, open_session
from obscura.detection.inputs import Inputs
from obscura.detection.letterbox import input_size
from obscura.detection.merging import Candidates, concatenate, merge_passes
from obscura.detection.nms import suppress, suppress_nested
from obscura.detection.output_cache import NOTHING_SEEN, Memory, Seen
from obscura.detection.priors import Priors, plausible, priors_for
from obscura.detection.rescoring import CLOSER, LEAST, Closer, Window, judged, log_odds, plan_windows
from obscura.detection.size_correction import corrected
from obscura.detection.tiling import (
    Pass,
    Quality,
    Sight,
    is_panorama,
    plan_passes,
    whole_passes,
    wrap_width,
)
from obscura.detection.voting import vote
from obscura.detection.weights import ModelCard, card_for_class, load_manifest
from obscura.errors import ModelError
from obscura.geometry import Box, Size
from obscura.observability import inference

__all__ = [
    "Detection",
    "DetectionOptions",
    "Detector",
    "EngineChoice",
    "EngineOptions",
    "Look",
    "Precision",
    "load_detector",
    "open_detector",
    "threshold_of",
]

THOROUGH_SHARE = 0.5
"""`Quality.THOROUGH` reports boxes from this share of the usual score."""

CUT_MARGIN = 4.0
"""Input pixels from a tile's edge within which a box counts as cut by it."""

DETAIL_SIDE = {"face": 960, "plate": 832}
"""Long side in input pixels to which a small photo of a class pays to be enlarged, at most `ENLARGEMENT`
times; measured per model (see the model cards), so measure again after training."""

ENLARGEMENT = 2.0

TILE_SCALE = {"face": 1.25, "plate": 1.0}
"""Input pixels per photo pixel in the tiles of a large photo. In 12 megapixels 69 % of the faces 20 pixels
high were hidden at 0.8, 85 % at 1.0 and 92 % at 1.25; 88, 96 and 96 % of the plates 30 pixels wide. Each step
costs half as much time again."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: its class, its box in pixels of the photo, and how sure the network is, 0..1."""

    class_name: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class DetectionOptions:
    """How to look at a photo.

    Attributes
    ----------
    quality
        How hard.
    min_confidence
        Score, 0..1, from which a box is reported; ``None``: the model card's (half of it when thorough).
    panorama
        Whether the photo's left edge continues its right one; ``None``: by its shape.
    priors
        Limits on size and shape; ``None``: those of the class.
    inputs
        Of this very picture, for detectors that look at it one after the other.
    """

    quality: Quality = Quality.BALANCED
    min_confidence: float | None = None
    panorama: bool | None = None
    priors: Priors | None = None
    inputs: Inputs | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What was found, surest first, and what the network said in every pass."""

    found: tuple[Detection, ...]
    memory: Memory


@dataclass(frozen=True, slots=True)
class _View:
    """A photo as the passes see it.

    Attributes
    ----------
    inputs, size
        Of the photo, a panorama with its wrapped part.
    period
        A panorama's own width.
    known
        Passes over the very same pixels that need no run.
    """

    inputs: Inputs
    size: Size
    period: float | None
    known: Memory


@dataclass(frozen=True, eq=False, slots=True)
class _Passes:
    """What the passes over a photo said.

    Attributes
    ----------
    seen
        Raw outputs of the passes that count, in their order.
    memory
        Raw outputs of all passes that were made, those of the proposal network included.
    closer
        Which of the boxes are re-scored, and how.
    """

    seen: Memory
    memory: Memory
    closer: Closer


class Detector:
    """Finds one class of objects.

    An instance is used by one thread at a time; engines differ in what they allow beyond that.

    Attributes
    ----------
    card
        What it finds.
    scout
        The running scout of its card, which other detectors of the same thread may share, or None: then its
        own network makes all passes.
    """

    def __init__(self, card: ModelCard, session: Session, scout: Session | None = None) -> None:
        self.card = card
        self.scout = scout
        self._session = session
        detail = DETAIL_SIDE.get(card.class_name, card.input_size)
        tiles = TILE_SCALE.get(card.class_name, 1.0)
        self._sight = Sight(card.input_size, detail, ENLARGEMENT, tiles, has_scout=scout is not None)

    @property
    def engine(self) -> str:
        """Name of the engine that runs the model."""
        return self._session.name

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._session.device

    def warm_up(self) -> None:
        """Run the model once on nothing, so that the first photo does not pay for its preparation.

        Copies for the sizes that come often are made later, each with its first input.
        """
        side = self.card.input_size
        for session in (self._session, self.scout):
            if session is not None:
                session.run([np.zeros((side, side, 3), dtype=np.uint8)])

    def passes(self, size: Size, quality: Quality) -> tuple[Pass, ...]:
        """Return the runs of the network that a photo of ``size`` takes, a panorama with its wrapped part."""
        return plan_passes(size, quality, self._sight)

    def further_passes(self, proposals: Candidates, size: Size) -> FurtherPasses:
        """Return what `Quality.BALANCED` does after the proposals, from a score of `ACTIVITY` on."""
        whole, single = whole_passes(size, self._sight), self.passes(size, Quality.FAST)
        return plan_further(proposals, activity_of(self.card.class_name), whole, single)

    def close(self) -> None:
        """Give the engine's memory back; neither the detector nor its scout can be used afterwards."""
        self._session.close()
        if self.scout is not None:
            self.scout.close()

    def detect(self, pixels: Pixels, options: DetectionOptions | None = None) -> tuple[Detection, ...]:
        """Return what is in a photo, surest first; see `look`."""
        return self.look(pixels, options).found

    def look(
        self, pixels: Pixels, options: DetectionOptions | None = None, known: Memory = NOTHING_SEEN
    ) -> Look:
        """Return what is in a photo, with a memory of the look.

        Parameters
        ----------
        pixels
            uint8 ``[height, width, 3]``, RGB, upright.
        options
            Balanced, with the model's own threshold, when left out.
        known
            Passes that this detector has made over the very same pixels; they are not made again.

        Raises
        ------
        ValueError
            If ``pixels`` is no such array.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != len("hwc") or pixels.shape[2] != len("rgb"):
            message = f"pixels must be uint8 [height, width, 3], not {pixels.dtype} {list(pixels.shape)}"
            raise ValueError(message)
        if 0 in pixels.shape:
            return Look((), NOTHING_SEEN)
        options = options or DetectionOptions()
        size = Size(pixels.shape[1], pixels.shape[0])
        view = _view(pixels, size, options, known)
        looked = self._looked(view, options)
        least = min(looked.closer.doubt, threshold_of(self.card, options))
        found = self._merged(looked.seen, least, view.period)
        found, windows = self._windows(view, tuple(looked.seen), found, looked.closer)
        shown = self._seen(view, [window.item for window in windows])
        found = self._judged(found, windows, shown, view.period)
        found = found.take(found.scores >= threshold_of(self.card, options))
        found = replace(found, boxes=corrected(found.boxes, self.card.class_name))
        priors = priors_for(self.card.class_name) if options.priors is None else options.priors
        found = found.take(plausible(found.boxes, size, priors))
        found = found.take(suppress_nested(found.boxes, found.scores, view.period))
        boxes = tuple(
            Detection(self.card.class_name, box, float(score))
            for corners, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
            for box in _in_photo(Box(*corners), size, view.period)
        )
        return Look(boxes, {**looked.memory, **shown})

    def propose(self, pixels: Pixels, least: float = ACTIVITY, inputs: Inputs | None = None) -> Candidates:
        """Return what the proposal network says of this class, best first, boxes in pixels of the photo.

        The network runs over the photo at its own size (`Quality.BALANCED`), once for all detectors that
        share it and are given the same ``inputs``.

        Parameters
        ----------
        pixels
            uint8 ``[height, width, 3]``, RGB, upright. No panorama: its left edge continues nothing.
        least
            Score, 0..1, from which a box is returned.
        inputs
            Of these pixels, where several detectors look at them.

        Raises
        ------
        ModelError
            If there is no proposal network.
        """
        if inputs is None or inputs.pixels is not pixels:
            inputs = Inputs(pixels)
        size = Size(pixels.shape[1], pixels.shape[0])
        seen = {item: self.scouted(inputs, item) for item in self.passes(size, Quality.BALANCED)}
        return self._merged(seen, least, None)

    def _looked(self, view: _View, options: DetectionOptions) -> _Passes:
        """Make the passes over a photo that its quality asks for, and those that the proposals ask for."""
        seen = self._seen(view, self.passes(view.size, options.quality))
        if options.quality is not Quality.BALANCED or self.scout is None:
            return _Passes(seen, seen, CLOSER[options.quality])
        further = self.further_passes(self._merged(seen, ACTIVITY, view.period), view.size)
        own = self._seen(view, further.passes)
        everything = {**seen, **own}
        return _Passes(everything if further.keeps_proposals else own, everything, further.closer)

    def _seen(self, view: _View, passes: Sequence[Pass]) -> Memory:
        """Return what the network says in passes, in their order."""
        unknown = [item for item in dict.fromkeys(passes) if item not in view.known]
        new = dict(self._outputs(view.inputs, unknown))
        return {item: new[item] if item in new else view.known[item] for item in passes}

    def _windows(
        self, view: _View, passes: Sequence[Pass], found: Candidates, closer: Closer
    ) -> tuple[Candidates, tuple[Window, ...]]:
        """Return what was found in the order of its turn, and the windows for it."""
        # What is nearest to the threshold may change sides, so it comes first; what is about as near comes in
        # reading order, so that scores that differ in their last digits change nothing.
        far = np.abs(log_odds(found.scores) - log_odds(self.card.min_confidence))
        found = found.take(np.lexsort((found.boxes[:, 0], found.boxes[:, 1], np.round(far))))
        return found, plan_windows(found, view.size, closer, passes)

    def _judged(
        self, found: Candidates, windows: Sequence[Window], shown: Memory, period: float | None
    ) -> Candidates:
        """Return what passes and windows say together, without duplicates, best first."""
        looks = [
            (window, self._read(window.item, shown[window.item], (0, LEAST), wrapped=False))
            for window in windows
        ]
        found = judged(found, looks)
        return found.take(suppress(found.boxes, found.scores, self.card.max_overlap, period))

    def _merged(self, seen: Memory, least: float, period: float | None) -> Candidates:
        """Return what all passes found, without duplicates, from a score of ``least`` on."""
        parts = [
            self._read(item, output, (number, least), wrapped=period is not None)
            for number, (item, output) in enumerate(seen.items())
        ]
        return merge_passes(concatenate(parts), self.card.max_overlap, period)

    def _outputs(self, inputs: Inputs, passes: Sequence[Pass]) -> Iterator[tuple[Pass, Seen]]:
        """Run the passes in order, neighbours of one input shape together where the engine gains by it."""
        for (is_scouted, _), group in groupby(
            passes, key=lambda item: (item.scouted, input_size(item.scaled))
        ):
            same = list(group)
            if is_scouted:
                yield from ((item, self.scouted(inputs, item)) for item in same)
                continue
            for start in range(0, len(same), self._session.batch_size):
                chunk = same[start : start + self._session.batch_size]
                boxes = [inputs.of(item) for item in chunk]
                with inference(self.card.name, self.device):
                    outputs = self._session.run([box.pixels for box in boxes])
                for item, box, output in zip(chunk, boxes, outputs, strict=True):
                    yield item, Seen(output, box.placing)

    def scouted(self, inputs: Inputs, item: Pass) -> Seen:
        """Return what the scout says in a pass of this detector's class; it is asked once for all classes.

        Raises
        ------
        ModelError
            If there is no scout, or the card names a row that it does not have.
        """
        scout, card = self.scout, self.card.scout
        if scout is None or card is None:
            message = f"model {self.card.name} has no scout"
            raise ModelError(message)
        frame, key = inputs.of(item), (scout, item)
        if key not in inputs.said:
            with inference(card.name, scout.device):
                inputs.said[key] = scout.run([frame.pixels])[0]
        said = inputs.said[key]
        if BOX_ROWS + card.row >= len(said):
            message = (
                f"model {card.name} has {len(said) - BOX_ROWS} classes: its manifest names row {card.row}"
            )
            raise ModelError(message)
        return Seen(np.concatenate([said[:BOX_ROWS], said[BOX_ROWS + card.row, None]]), frame.placing)

    def _read(self, item: Pass, seen: Seen, rule: tuple[int, float], *, wrapped: bool) -> Candidates:
        number, threshold = rule
        raw = decode(seen.output, threshold)
        kept = suppress(raw.boxes, raw.scores, self.card.max_overlap)
        boxes = vote(raw.boxes[kept], raw.boxes, raw.scores)
        if item.mirrored:
            boxes[:, [0, 2]] = seen.placing.width - boxes[:, [2, 0]]
        in_region = seen.placing.to_image_frame(boxes)
        cut = _touches(in_region, item, seen.placing.scale.x, wrapped=wrapped)
        offset = np.array([item.region.left, item.region.top] * 2, dtype=np.float32)
        source = np.full(len(kept), number, dtype=np.intp)
        scale = np.full(len(kept), seen.placing.scale.x, dtype=np.float32)
        return Candidates(in_region + offset, raw.scores[kept], cut, source, scale)


def load_detector(
    models_dir: Path, class_name: str, choice: EngineChoice, threads: int = 1, device: str = "auto"
) -> Detector:
    """Return a detector of ``class_name`` from the weights in ``models_dir``.

    For another precision than the engine's own, use `open_detector`.

    Raises
    ------
    ModelError
        If manifest or weights are missing or damaged, or no engine can run them.
    """
    card = card_for_class(load_manifest(models_dir / "manifest.toml"), class_name)
    return open_detector(models_dir, card, EngineOptions(choice, threads, device))


def open_detector(
    models_dir: Path,
    card: ModelCard,
    options: EngineOptions,
    beside: Iterable[Detector] = (),
    *,
    is_deferred: bool = False,
) -> Detector:
    """Return a detector of what ``card`` says.

    Parameters
    ----------
    models_dir
        The folder of the weights.
    card
        The model.
    options
        How to run it.
    beside
        Detectors of the same thread with the same options: where one of them has the same scout it is shared.
    is_deferred
        Whether the class's own network is loaded only once a photo needs it. Its weights are checked now.

    Raises
    ------
    ModelError
        See `load_detector`.
    """
    opened = checked_opener(models_dir, card, options)
    if card.scout is None:
        return Detector(card, opened())
    for other in beside:
        if other.card.scout is not None and other.card.scout.files == card.scout.files and other.scout:
            scout = other.scout
            break
    else:
        scout = open_session(models_dir, card.scout, options)
    return Detector(card, DeferredSession(opened, scout) if is_deferred else opened(), scout)


def threshold_of(card: ModelCard, options: DetectionOptions) -> float:
    """Return the score, 0..1, from which a box is reported; see `DetectionOptions`."""
    if options.min_confidence is not None:
        return options.min_confidence
    return card.min_confidence * (THOROUGH_SHARE if options.quality is Quality.THOROUGH else 1.0)


def _view(pixels: Pixels, size: Size, options: DetectionOptions, known: Memory) -> _View:
    if not (is_panorama(size) if options.panorama is None else options.panorama):
        shared = options.inputs
        if shared is None or shared.pixels is not pixels:
            shared = Inputs(pixels)
        return _View(shared, size, None, known)
    wrap = wrap_width(size)
    wide = np.concatenate([pixels, pixels[:, :wrap]], axis=1)
    return _View(Inputs(wide), Size(size.width + wrap, size.height), size.width, known)


def _touches(boxes_in_region: Floats, item: Pass, scale: float, *, wrapped: bool) -> Mask:
    """Return which boxes ``[n, 4]`` reach an edge of their pass behind which the photo goes on."""
    margin = CUT_MARGIN / scale
    size = item.region.size
    # The left and right edges of a wrapped panorama cut it as a tile's do.
    inner_left, inner_right = item.cuts.left or wrapped, item.cuts.right or wrapped
    touching: Mask = np.zeros(len(boxes_in_region), dtype=np.bool_)
    if inner_left:
        touching |= boxes_in_region[:, 0] <= margin
    if inner_right:
        touching |= boxes_in_region[:, 2] >= size.width - margin
    if item.cuts.top:
        touching |= boxes_in_region[:, 1] <= margin
    if item.cuts.bottom:
        touching |= boxes_in_region[:, 3] >= size.height - margin
    return touching


def _in_photo(box: Box, size: Size, period: float | None) -> tuple[Box, ...]:
    """Return the parts of a box inside the photo; one across the seam of a panorama has two."""
    turns = (0.0,) if period is None else (-period, 0.0, period)
    parts = (box.shift(turn, 0.0).clip(size) for turn in turns)
    return tuple(part for part in parts if not part.is_empty)
