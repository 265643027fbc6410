"""The detector of one class: from the pixels of a photo to detections."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from obscura.detection.adaptive import (
    ACTIVITY_SCORE,
    CROWD_WINDOWS,
    effort_rule_for,
    is_tiled,
    needs_slice,
    plan_crowd,
)
from obscura.detection.arrays import Pixels
from obscura.detection.decode import RawBoxes, decode
from obscura.detection.detections import CachedDetections, Detection, DetectionOptions, threshold_of
from obscura.detection.fusion import (
    AUXILIARY_FUSION,
    PROPOSAL_FUSION,
    SUPPLEMENT_FUSION,
    Fusion,
    fuse,
)
from obscura.detection.merging import Candidates, candidates_of, concatenate, merge_slices
from obscura.detection.networks import Networks
from obscura.detection.nms import suppress, suppress_nested
from obscura.detection.output_cache import EMPTY_CACHE, OutputCache, RawOutput
from obscura.detection.priors import plausible, priors_for
from obscura.detection.rescoring import (
    MIN_WINDOW_SCORE,
    RESCORING,
    Rescoring,
    log_odds,
    plan_windows,
    rescore,
)
from obscura.detection.size_correction import corrected
from obscura.detection.tiling import (
    InferenceScales,
    InferenceSlice,
    Quality,
    plan_auxiliary,
    plan_full_detector,
    plan_probe,
    plan_slices,
)
from obscura.detection.turned import (
    CLEAR_SCORE,
    PROBE_SCORE,
    QUARTER_TURNS,
    SCORE_IN_UPRIGHT,
    least_turned_score,
    new_ones,
    turned_boxes,
    turned_size,
)
from obscura.detection.view import View, parts_in_photo, view_of
from obscura.detection.voting import vote
from obscura.geometry import Box, Size

__all__ = ["Detector"]

DETAIL_SIDE = {"face": 960, "plate": 832}
"""Long side in input pixels up to which a small photo is enlarged, at most `ENLARGEMENT` times, by class.
Measured per model (see the model cards); measure again after training."""

ENLARGEMENT = 2.0

TILE_SCALE = {"face": 1.25, "plate": 1.0}
"""Input pixels per photo pixel in the tiles of a large photo. In 12 megapixels 69 % of the faces 20 pixels
high were hidden at 0.8, 85 % at 1.0 and 92 % at 1.25; 88, 96 and 96 % of the plates 30 pixels wide. Each step
costs half as much time again."""


class _Found(NamedTuple):
    """The boxes in a photo, and the raw outputs of all slices that were run for them."""

    boxes: Candidates
    cache: OutputCache


class Detector:
    """Detects one class of objects.

    An instance is used by one thread at a time; engines differ in what they allow beyond that.

    Attributes
    ----------
    card
        The model card of its class.
    networks
        The loaded networks of its card.
    """

    def __init__(self, networks: Networks) -> None:
        card = networks.card
        self.card = card
        self.networks = networks
        detail = DETAIL_SIDE.get(card.class_name, card.input_size)
        tiles = TILE_SCALE.get(card.class_name, 1.0)
        self._scales = InferenceScales(
            card.input_size, detail, ENLARGEMENT, tiles, has_proposals=networks.proposal is not None
        )

    @property
    def engine(self) -> str:
        """Name of the engine that runs the model."""
        return self.networks.engine

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self.networks.device

    def warm_up(self) -> None:
        """Run the networks once, so that the first photo does not pay for their preparation."""
        self.networks.warm_up()

    def close(self) -> None:
        """Free the networks; neither the detector nor those that share one can be used afterwards."""
        self.networks.close()

    def slices(self, size: Size, quality: Quality) -> tuple[InferenceSlice, ...]:
        """Return the inference slices of a photo of ``size``; see `obscura.detection.tiling.plan_slices`."""
        return plan_slices(size, quality, self._scales)

    def detect(self, pixels: Pixels, options: DetectionOptions | None = None) -> tuple[Detection, ...]:
        """Return the detections in a photo, best first; see `detect_with_cache`."""
        return self.detect_with_cache(pixels, options).detections

    def detect_with_cache(
        self, pixels: Pixels, options: DetectionOptions | None = None, known: OutputCache = EMPTY_CACHE
    ) -> CachedDetections:
        """Return the detections in a photo, and the raw outputs that they were read from.

        Parameters
        ----------
        pixels
            uint8 ``[height, width, 3]``, RGB, upright.
        options
            Balanced, with the model's own threshold, when left out.
        known
            Raw outputs of this detector for slices whose pixels are the same; these slices are not run again.

        Raises
        ------
        ValueError
            If ``pixels`` has another type or shape.
        """
        if pixels.dtype != np.uint8 or pixels.shape[2:] != (3,):
            message = f"pixels must be uint8 [height, width, 3], not {pixels.dtype} {list(pixels.shape)}"
            raise ValueError(message)
        if 0 in pixels.shape:
            return CachedDetections((), EMPTY_CACHE)
        options = options or DetectionOptions()
        size = Size(pixels.shape[1], pixels.shape[0])
        view = view_of(pixels, size, options, known)
        least = min(RESCORING[options.quality].lower_score, threshold_of(self.card, options))
        found = self._find(view, options.quality, least)
        boxes = self._fitting(found.boxes, view, options)
        if options.quality in {Quality.BALANCED, Quality.THOROUGH} and self.networks.proposal is not None:
            boxes = self._with_turned(boxes, view, options, least)
        return CachedDetections(self._reported(boxes, view), found.cache)

    def propose(self, pixels: Pixels, options: DetectionOptions) -> tuple[Detection, ...]:
        """Return the proposals in a photo with their own scores, best first; the full detector does not run.

        Parameters are those of `detect_with_cache`. Raises ModelError if there is no proposal network.
        """
        view = view_of(pixels, Size(pixels.shape[1], pixels.shape[0]), options, EMPTY_CACHE)
        outputs = self._raw_outputs(view, self.slices(view.size, Quality.BALANCED))
        found = self._merged(outputs, threshold_of(self.card, options), view.period)
        return self._reported(self._fitting(found, view, options), view)

    def _fitting(
        self, found: Candidates, view: View, options: DetectionOptions, quarter_turns: int = 0
    ) -> Candidates:
        """Return the boxes from the threshold on that may be objects seen after quarter turns, corrected."""
        found = found.take(found.scores >= threshold_of(self.card, options))
        size = turned_size(view.own_size, quarter_turns)
        seen = turned_boxes(found.boxes, view.own_size, quarter_turns)
        found = replace(found, boxes=corrected(seen, self.card.class_name))
        priors = priors_for(self.card.class_name) if options.priors is None else options.priors
        found = found.take(plausible(found, size, priors))
        return replace(found, boxes=turned_boxes(found.boxes, size, -quarter_turns % 4))

    def _reported(self, found: Candidates, view: View) -> tuple[Detection, ...]:
        """Return the detections that are reported of the fitting boxes of a photo."""
        size = view.own_size
        found = found.take(suppress_nested(found.boxes, found.scores, view.period))
        return tuple(
            Detection(self.card.class_name, box, float(score))
            for corners, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
            for box in parts_in_photo(Box(*corners), size, view.period)
        )

    def _with_turned(
        self, upright: Candidates, view: View, options: DetectionOptions, least: float
    ) -> Candidates:
        """Return the boxes of a photo and those that are seen when it is turned.

        See `obscura.detection.turned`. A panorama is taken as it is.
        """
        if view.period is not None or self._is_surely_upright(upright, view):
            return upright
        found = upright
        least_score = SCORE_IN_UPRIGHT if options.is_finished else least_turned_score(upright)
        for turns in QUARTER_TURNS:
            turned = replace(view, inputs=view.inputs.turned(turns), known=EMPTY_CACHE)
            outputs = self._raw_outputs(turned, [plan_probe(view.size)])
            probe = self._merged(outputs, max(PROBE_SCORE, least_score), None)
            seen = found.take(found.scores >= self.card.min_confidence)
            if not new_ones(probe, seen).any():
                continue
            more = self._find(turned, options.quality, least).boxes
            more = self._fitting(more.take(more.scores >= least_score), view, options, turns)
            found = concatenate([found, more.take(new_ones(more, seen))])
        return found

    def _is_surely_upright(self, upright: Candidates, view: View) -> bool:
        """Return whether something clear stands upright in a photo: of this class, or a proposal of any."""
        if (upright.scores >= CLEAR_SCORE).any():
            return True
        whole = self.slices(view.size, Quality.BALANCED)[0]
        return self.networks.surest_proposal(view.inputs, whole) >= CLEAR_SCORE

    def _find(self, view: View, quality: Quality, least: float) -> _Found:
        """Run the slices of a quality, then the auxiliary network; one that supplements is not for `fast`."""
        if quality is Quality.BALANCED and self.networks.proposal is not None:
            return self._find_adaptively(view, least)
        outputs = self._raw_outputs(view, self.slices(view.size, quality))
        boxes = self._merged(outputs, least, view.period)
        boxes, windows = self._rescored(view, tuple(outputs), boxes, RESCORING[quality])
        found, card = _Found(boxes, {**outputs, **windows}), self.card.auxiliary
        is_supplement = card is not None and not card.stands_in
        if quality is Quality.RAPID or (quality is Quality.FAST and is_supplement):
            return found
        return self._with_auxiliary(found, view)

    def _find_adaptively(self, view: View, least: float) -> _Found:
        """Run the proposal network, the full detector where something is unclear, and the auxiliary network.

        See `obscura.detection.adaptive`. An auxiliary network that stands in leaves nothing unclear; one that
        supplements runs where the proposals show activity of the size that it has a say on.
        """
        first = self._raw_outputs(view, self.slices(view.size, Quality.BALANCED))
        proposals, card = self._merged(first, least, view.period), self.card.auxiliary
        if self.networks.auxiliary is not None and card is not None and card.stands_in:
            auxiliary = self._auxiliary_outputs(view)
            return _Found(self._fused(view, proposals, auxiliary, PROPOSAL_FUSION), {**first, **auxiliary})
        found = self._settled(view, first, proposals, least)
        active = proposals.take(proposals.scores >= ACTIVITY_SCORE)
        is_asked = SUPPLEMENT_FUSION.takes_part(active, view.auxiliary_scale).any()
        return self._with_auxiliary(found, view) if is_asked else found

    def _settled(self, view: View, first: OutputCache, proposals: Candidates, least: float) -> _Found:
        """Run the full detector where the proposals, made of ``first``, leave something unclear."""
        cache = dict(first)
        rule = effort_rule_for(self.card.class_name)
        whole = plan_full_detector(view.size, self._scales)
        slices, rescoring = plan_crowd(proposals, rule, whole), CROWD_WINDOWS
        if not slices:
            boxes, windows = self._rescored(view, tuple(first), proposals, rule.windows)
            cache |= windows
            if is_tiled(whole) or not needs_slice(boxes, rule):
                return _Found(boxes, cache)
            slices, rescoring = self.slices(view.size, Quality.FAST), RESCORING[Quality.FAST]
            # The same windows are often asked for again.
            view = replace(view, known={**view.known, **windows})
        own = self._raw_outputs(view, slices)
        # Where the full detector covers the whole photo it rejects false proposals.
        used = {**first, **own} if is_tiled(slices) else own
        boxes = self._merged(used, least, view.period)
        boxes, windows = self._rescored(view, tuple(used), boxes, rescoring)
        return _Found(boxes, {**cache, **own, **windows})

    def _raw_outputs(self, view: View, slices: Sequence[InferenceSlice]) -> OutputCache:
        """Return the raw outputs of slices, in their order, running only those that are not known."""
        return self.networks.raw_outputs(view.inputs, slices, view.known)

    def _with_auxiliary(self, found: _Found, view: View) -> _Found:
        """Run the auxiliary network, where there is one, and fuse what it sees with what was found."""
        auxiliary, card = self._auxiliary_outputs(view), self.card.auxiliary
        fusion = AUXILIARY_FUSION if card is None or card.stands_in else SUPPLEMENT_FUSION
        if view.auxiliary_scale < 1:
            fusion = replace(fusion, silence=0.0)  # it may have seen too little to say no
        boxes = self._fused(view, found.boxes, auxiliary, fusion)
        return _Found(boxes, {**found.cache, **auxiliary})

    def _auxiliary_outputs(self, view: View) -> OutputCache:
        """Run the auxiliary network over the photo; empty where there is none."""
        if self.networks.auxiliary is None:
            return {}
        return self._raw_outputs(view, [plan_auxiliary(view.size)])

    def _fused(self, view: View, found: Candidates, auxiliary: OutputCache, fusion: Fusion) -> Candidates:
        """Return boxes and those of the auxiliary network, one for each object."""
        if not auxiliary:
            return found
        other = self._merged(auxiliary, fusion.lower_score, view.period)
        found = fuse(found, other, fusion, view.period, view.auxiliary_scale)
        return found.take(suppress(found.boxes, found.scores, self.card.max_overlap, view.period))

    def _rescored(
        self, view: View, slices: Sequence[InferenceSlice], found: Candidates, rescoring: Rescoring
    ) -> tuple[Candidates, OutputCache]:
        """Return the boxes with the scores of slices and windows combined, best first; and raw outputs.

        Boxes near the threshold come first, because re-scoring is most likely to change the decision on them.
        Distances are rounded and ties go in reading order, so that engines whose scores differ in their last
        digits plan the same windows.
        """
        far = np.abs(log_odds(found.scores) - log_odds(self.card.min_confidence))
        found = found.take(np.lexsort((found.boxes[:, 0], found.boxes[:, 1], np.round(far))))
        windows = plan_windows(found, view.size, rescoring, slices)
        outputs = self._raw_outputs(view, [window.view for window in windows])
        results = [
            (window, self._read_boxes(window.view, outputs[window.view], 0, MIN_WINDOW_SCORE, wrapped=False))
            for window in windows
        ]
        found = rescore(found, results)
        kept = suppress(found.boxes, found.scores, self.card.max_overlap, view.period)
        return found.take(kept), outputs

    def _merged(self, outputs: OutputCache, least: float, period: float | None) -> Candidates:
        """Return the boxes of all slices from a score of ``least`` on, without duplicates."""
        parts = [
            self._read_boxes(item, output, number, least, wrapped=period is not None)
            for number, (item, output) in enumerate(outputs.items())
        ]
        return merge_slices(concatenate(parts), self.card.max_overlap, period)

    def _read_boxes(
        self, item: InferenceSlice, output: RawOutput, number: int, least: float, *, wrapped: bool
    ) -> Candidates:
        """Return the boxes of slice ``number`` from a score of ``least`` on, in pixels of the photo."""
        raw = decode(output.output, least)
        kept = suppress(raw.boxes, raw.scores, self.card.max_overlap)
        boxes = vote(raw.boxes[kept], raw.boxes, raw.scores)
        return candidates_of(item, output.placing, RawBoxes(boxes, raw.scores[kept]), number, wrapped=wrapped)
