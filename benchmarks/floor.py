"""The floor: the least work that a photo needs, in one process without a service around it.

Decoding (libjpeg-turbo into an array), a letterbox and one run of each network for each slice that the
quality asks for and each window of crop re-scoring, reading their outputs, and the lossless splice; with the
residual check also decoding the finished file and running the proposal network over it. There is no
validation, no metadata, no report, no manifest, no check of the picture, no storage, no queue and no HTTP in
it.

``python -m benchmarks.floor`` reads photos' paths from its arguments and prints a line of JSON per round; the
benchmarks start it as a process, one or two side by side.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped, unused-ignore]  # publishes no types for some versions

from obscura.anonymisation import Target
from obscura.anonymisation.residual import RESIDUAL_THRESHOLDS, check_slices
from obscura.contract import ObjectClass, Quality
from obscura.detection.adaptive import ACTIVITY_SCORE
from obscura.detection.backends.base import Session
from obscura.detection.decode import decode
from obscura.detection.detector import Detector
from obscura.detection.engines import EngineOptions, open_session
from obscura.detection.inputs import Inputs
from obscura.detection.merging import Candidates, concatenate
from obscura.detection.nms import suppress
from obscura.detection.rescoring import MIN_WINDOW_SCORE, RESCORING, plan_windows, rescore
from obscura.detection.tiling import InferenceSlice, plan_auxiliary
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.geometry import Box, Size
from obscura.jpeg.splice import splice
from obscura.redaction.policy import RedactionPolicy, regions_for

WITH_PROPOSALS = (Quality.RAPID, Quality.BALANCED)
"""Qualities that begin with the proposal network."""


@dataclass(frozen=True)
class Asked:
    """The work for each photo: classes, quality, whether with the quick residual check."""

    classes: tuple[ObjectClass, ...] = tuple(ObjectClass)
    quality: Quality = Quality.BALANCED
    review: bool = True

    def arguments(self) -> list[str]:
        """Return the command line of a floor that does it."""
        return [*(item.value for item in self.classes), "--quality", self.quality.value, *self._review()]

    def _review(self) -> list[str]:
        return ["--review"] if self.review else []


class Floor:
    """Networks, loaded and warm, with one thread each."""

    def __init__(self, asked: Asked) -> None:
        cv2.setNumThreads(1)
        folder = default_models_dir()
        cards = load_manifest(folder / "manifest.toml")
        self._asked = asked
        self._networks: dict[ObjectClass, tuple[Detector, Session]] = {}
        proposal_session: Session | None = None
        for name in asked.classes:
            card = card_for_class(cards, name.value)
            session = open_session(folder, card, EngineOptions(threads=1))
            is_used = asked.review or asked.quality in WITH_PROPOSALS
            if is_used and card.proposal is not None and proposal_session is None:
                proposal_session = open_session(folder, card.proposal, EngineOptions(threads=1))
            auxiliary = (
                None
                if card.auxiliary is None
                else open_session(folder, card.auxiliary, EngineOptions(threads=1))
            )
            self._networks[name] = (Detector(card, session, proposal_session, auxiliary), session)

    def work(self, data: bytes) -> bytes:
        """Return the finished file of a JPEG."""
        pixels = simplejpeg.decode_jpeg(data)
        found = self._look(Inputs(pixels))
        targets = [Target(name.value, box) for name, boxes in found.items() for box in boxes]
        finished = splice(data, regions_for(targets, RedactionPolicy())).data
        if self._asked.review:
            shown = simplejpeg.decode_jpeg(finished)
            self._check(Inputs(shown))
        return finished

    def _check(self, inputs: Inputs) -> None:
        """Run the proposal network over a finished picture, as the quick residual check does."""
        for name, (detector, session) in self._networks.items():
            planned = check_slices(Size(inputs.pixels.shape[1], inputs.pixels.shape[0]))
            # After adaptive detection the product runs over the coarsest slice only.
            for item in planned[:1] if self._asked.quality is Quality.BALANCED else planned:
                _seen(detector, session, inputs, item, RESIDUAL_THRESHOLDS[name])

    def _look(self, inputs: Inputs) -> dict[ObjectClass, list[Box]]:
        found: dict[ObjectClass, list[Box]] = {}
        size = Size(inputs.pixels.shape[1], inputs.pixels.shape[0])
        for name, (detector, session) in self._networks.items():
            card = detector.card
            seen = partial(_seen, detector, session, inputs)
            if detector.auxiliary_session is not None and self._asked.quality is not Quality.RAPID:
                detector.auxiliary_session.run([inputs.of(plan_auxiliary(size)).pixels])
            slices = list(detector.slices(size, self._asked.quality))
            found[name], rescoring = [], RESCORING[self._asked.quality]
            if slices and self._asked.quality is Quality.BALANCED and detector.proposal_session is not None:
                proposals = concatenate([seen(item, ACTIVITY_SCORE) for item in slices])
                further = detector.follow_up(proposals, size)
                slices = [*(slices if further.keeps_proposals else ()), *further.slices]
                rescoring = further.rescoring
            if slices:
                boxes = concatenate([seen(item, rescoring.lower_score) for item in slices])
                boxes = boxes.take(suppress(boxes.boxes, boxes.scores, card.max_overlap))
                results = [
                    (window, seen(window.view, MIN_WINDOW_SCORE))
                    for window in plan_windows(boxes, size, rescoring, slices)
                ]
                boxes = rescore(boxes, results)
                kept = boxes.boxes[boxes.scores >= card.min_confidence]
                found[name] = [Box(*corners) for corners in kept.tolist()]
        return found


def _seen(
    detector: Detector, session: Session, inputs: Inputs, item: InferenceSlice, least: float
) -> Candidates:
    """Return the network's boxes in a slice or window, in pixels of the photo."""
    frame = inputs.of(item)
    output = (
        detector.run_proposal_network(inputs, item).output
        if item.is_proposal
        else session.run([frame.pixels])[0]
    )
    raw = decode(output, least)
    kept = suppress(raw.boxes, raw.scores, detector.card.max_overlap)
    boxes = raw.boxes[kept]
    if item.mirrored:
        boxes[:, [0, 2]] = frame.placing.width - boxes[:, [2, 0]]
    offset = np.array([item.region.left, item.region.top] * 2, np.float32)
    count = len(kept)
    return Candidates(
        frame.placing.to_image_frame(boxes) + offset,
        raw.scores[kept],
        np.zeros(count, np.bool_),
        np.zeros(count, np.intp),
        np.full(count, frame.placing.scale.x, np.float32),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on photos once to be warm; then once more for every line that comes in."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("classes", nargs="+", type=ObjectClass)
    parser.add_argument("--photos", nargs="+", type=Path, required=True)
    parser.add_argument("--quality", type=Quality, default=Quality.BALANCED)
    parser.add_argument("--review", action="store_true")
    chosen = parser.parse_args(arguments)
    floor = Floor(Asked(tuple(chosen.classes), chosen.quality, chosen.review))
    photos = [path.read_bytes() for path in chosen.photos]
    for photo in photos:
        floor.work(photo)
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line)
        cpu, wall = time.process_time(), time.perf_counter()
        for number in range(count):
            floor.work(photos[number % len(photos)])
        spent = (time.process_time() - cpu, time.perf_counter() - wall)
        print(json.dumps({"cpu_ms": spent[0] * 1000 / count, "wall_s": spent[1]}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
