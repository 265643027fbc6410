"""The floor: the least work that a photo needs, in one process without a service around it.

Decoding (libjpeg-turbo into an array), a letterbox and one run of a network for each slice and window that
the product runs over the photo, reading their outputs, and the lossless splice; with the residual check also
decoding the finished file and running the proposal network over it. There is no planning, no validation, no
metadata, no report, no manifest, no check of the picture, no storage, no queue and no HTTP in it.

``python -m benchmarks.floor`` reads photos' paths from its arguments and prints a line of JSON per round; the
benchmarks start it as a process, one or two side by side.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import simplejpeg  # type: ignore[import-untyped, unused-ignore]  # publishes no types for some versions

from obscura.anonymisation import Target
from obscura.anonymisation.residual import check_slices
from obscura.contract import ObjectClass, Quality
from obscura.detection.arrays import Pixels
from obscura.detection.decode import decode
from obscura.detection.detections import DetectionOptions
from obscura.detection.inputs import Inputs
from obscura.detection.loading import load_for
from obscura.detection.nms import suppress
from obscura.detection.rescoring import RESCORING
from obscura.detection.tiling import InferenceSlice
from obscura.geometry import Size
from obscura.jpeg.splice import splice
from obscura.redaction.policy import RedactionPolicy, regions_for
from obscura.settings import Settings


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


class _Planned(NamedTuple):
    """What the product runs for a photo, by class, and what it hides."""

    slices: list[tuple[ObjectClass, InferenceSlice]]
    targets: list[Target]


class Floor:
    """Networks, loaded and warm, with one thread each."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._detectors = {name: load_for(Settings(), name, 1) for name in asked.classes}
        self._plans: dict[bytes, _Planned] = {}

    def work(self, data: bytes) -> bytes:
        """Return the finished file of a JPEG."""
        pixels = simplejpeg.decode_jpeg(data)
        if data not in self._plans:
            self._plans[data] = self._planned(pixels)
        plan = self._plans[data]
        inputs = Inputs(pixels)
        for class_name, planned in plan.slices:
            self._run(inputs, class_name, planned)
        finished = splice(data, regions_for(plan.targets, RedactionPolicy())).data
        if self._asked.review:
            shown = Inputs(simplejpeg.decode_jpeg(finished))
            # After adaptive detection the product runs over the coarsest slice only.
            slices = check_slices(Size(pixels.shape[1], pixels.shape[0]))
            for item in slices[:1] if self._asked.quality is Quality.BALANCED else slices:
                for name in self._detectors:
                    self._run(shown, name, item)
        return finished

    def _planned(self, pixels: Pixels) -> _Planned:
        """Return what the product runs and hides in a photo; found once, before anything is measured."""
        slices: list[tuple[ObjectClass, InferenceSlice]] = []
        targets: list[Target] = []
        for name, detector in self._detectors.items():
            found = detector.detect_with_cache(pixels, DetectionOptions(self._asked.quality))
            slices += [(name, item) for item in found.cache]
            targets += [Target(name.value, item.box) for item in found.detections]
        return _Planned(slices, targets)

    def _run(self, inputs: Inputs, name: ObjectClass, item: InferenceSlice) -> None:
        """Run one slice and read its boxes; the proposal network runs once for all classes."""
        detector = self._detectors[name]
        raw = decode(detector.networks.raw_output(inputs, item), RESCORING[self._asked.quality].lower_score)
        suppress(raw.boxes, raw.scores, detector.card.max_overlap)


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
