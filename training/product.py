"""Measure weights as the product uses them: its slices, merging and limits, on a split of their pack.

Run ``python -m training.product --class plate models/plate-yolov8n.onnx --quality balanced thorough``. Where
:mod:`training.evaluate` measures one run, this measures the product's detections. ``--damage`` damages the
photos first, and ``--by`` reports the sources, or the countries of the plates, apart. One JSON object each.
Needs the product's own requirements as well.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from obscura.detection.backends.onnx import open_onnx
from obscura.detection.backends.openvino import open_openvino
from obscura.detection.backends.ultralytics import open_ultralytics
from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.rescoring import WINDOW_SIZES
from obscura.detection.tiling import PROPOSAL_SIZES, Quality
from obscura.detection.weights import (
    ModelCard,
    NetworkCard,
    card_for_class,
    default_models_dir,
    load_manifest,
)
from obscura.evaluation import Photo, evaluate
from training.damage import DAMAGES, TURNS, turned, turned_boxes
from training.evaluate import BINS, corners, figures, labelled_photos
from training.paths import MODELS, OBJECT_CLASSES, SCOUT, ObjectClass
from training.predict import read_photo
from training.prepare import CORRECTIONS, read_corrections

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from obscura.detection.arrays import Pixels
    from obscura.detection.backends.base import Session
    from obscura.geometry import Size

    Labelled = tuple[Path, NDArray[np.float64]]

ENGINES = ("openvino-bf16", "openvino-f32", "onnx", "torch")
LOWEST_SCORE = 0.01
TIGHT = 0.75
"""Overlap at which loose boxes show."""


class Looked(NamedTuple):
    """Detections in a photo, by its name, and their processor time in milliseconds."""

    name: str
    photo: Photo
    cpu_ms: float


class Spoilt(NamedTuple):
    """A damaged photo with its labels and the regions that do not count, corners in its pixels."""

    pixels: Pixels
    labels: NDArray[np.float64]
    ignored: NDArray[np.float64]


def open_weights(file: Path, engine: str, threads: int, often: Collection[Size]) -> Session:
    """Return a running model of an ``.onnx``, ``.xml`` or ``.pt`` file; ``.xml`` is in 8 bits.

    ``often`` are the sizes of inputs that the product would prepare it for.
    """
    if engine == "torch":
        return open_ultralytics(file, threads, "cpu", exact=True)
    if file.suffix == ".pt":
        export: Any = import_module("training.export")
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / f"{file.stem}.onnx"
            export.export_onnx(export.rounded_network(file), target)
            return open_weights(target, engine, threads, often)
    if engine == "onnx":
        return open_onnx(file, threads)
    return open_openvino(file, threads, exact=engine == "openvino-f32", often=often)


def open_auxiliary(models: Path, card: ModelCard, engine: str, threads: int) -> Session | None:
    """Return the auxiliary network of a card in the folder ``models``, or None where it has none."""
    if card.auxiliary is None:
        return None
    file = models / card.auxiliary.files["onnx"].path
    return open_weights(file, "openvino-bf16" if engine == "torch" else engine, threads, ())


class Bench:
    """One class's photos, labels and ignored regions, ready for several detectors."""

    def __init__(self, object_class: ObjectClass, split: str) -> None:
        self.object_class = object_class
        self._photos = labelled_photos(object_class, split)
        self._ignored = read_corrections(object_class, split)

    def look(self, detector: Detector, quality: Quality, damage: str) -> list[Looked]:
        """Return what a detector finds in every photo after one kind of damage."""
        options = DetectionOptions(quality=quality, min_confidence=LOWEST_SCORE)
        results = []
        for labelled in self._photos:
            spoilt = self._spoilt(labelled, damage)
            started = time.process_time()
            found = detector.detect(spoilt.pixels, options)
            spent = (time.process_time() - started) * 1000.0
            boxes = np.array([item.box for item in found], np.float64).reshape(-1, 4)
            scores = np.array([item.confidence for item in found], np.float64)
            photo = Photo(spoilt.labels, boxes, scores, spoilt.ignored)
            results.append(Looked(labelled[0].stem, photo, spent))
        return results

    def _spoilt(self, labelled: Labelled, damage: str) -> Spoilt:
        file, shares = labelled
        pixels = read_photo(file)
        height, width = pixels.shape[:2]
        regions = np.array([change.box for change in self._ignored.get(file.stem, [])]).reshape(-1, 4)
        labels, ignored = corners(shares, width, height), corners(regions, width, height)
        if damage not in TURNS:
            return Spoilt(DAMAGES[damage](pixels), labels, ignored)
        pixels, turn = turned(pixels, TURNS[damage])
        is_round = self.object_class == "face"
        return Spoilt(
            pixels,
            turned_boxes(labels, turn, is_round=is_round),
            turned_boxes(ignored, turn, is_round=is_round),
        )


def grouping(object_class: ObjectClass, split: str, by: str) -> dict[str, str]:
    """Return the committed group of each photo of a split; without a table each is of its source's."""
    table = CORRECTIONS / f"{object_class}_{split}_countries.csv"
    if by != "country" or not table.exists():
        return {}
    with table.open(encoding="utf-8", newline="") as rows:
        return {row["photo"]: row["country"] for row in csv.DictReader(rows)}


def reported(object_class: ObjectClass, looked: list[Looked]) -> dict[str, Any]:
    """Return the figures of what was found, ready for JSON."""
    photos = [item.photo for item in looked]
    return {
        **figures(evaluate(photos, BINS[object_class])),
        "ap75": round(evaluate(photos, BINS[object_class], TIGHT).average_precision, 4),
        "cpu_ms": round(sum(item.cpu_ms for item in looked) / len(looked), 1),
    }


def main() -> None:
    """Print one JSON object per weights, quality, damage and, where asked for, source."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--scout", type=Path, help="of `rapid` and `balanced`; the shipped one when left out")
    parser.add_argument("--models", type=Path, default=default_models_dir(), help="folder with manifest.toml")
    parser.add_argument("--split", default="val", choices=("val", "unseen", "train"))
    parser.add_argument("--quality", nargs="+", type=Quality, default=[Quality.BALANCED])
    parser.add_argument("--damage", nargs="+", choices=(*DAMAGES, *TURNS), default=["none"])
    parser.add_argument("--engine", choices=ENGINES, default="openvino-bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--by", choices=("source", "country"), help="each source or country apart as well")
    options = parser.parse_args()
    card = card_for_class(load_manifest(options.models / "manifest.toml"), options.object_class)
    bench = Bench(options.object_class, options.split)
    group_of = grouping(options.object_class, options.split, options.by)
    file = options.scout or MODELS / f"{SCOUT}.onnx"
    card = replace(card, proposal=NetworkCard(SCOUT, "", OBJECT_CLASSES.index(options.object_class), {}))
    opened = partial(open_weights, engine=options.engine, threads=options.threads)
    scout = (
        opened(file, often=PROPOSAL_SIZES)
        if {Quality.RAPID, Quality.BALANCED} & set(options.quality)
        else None
    )
    auxiliary = open_auxiliary(options.models, card, options.engine, options.threads)
    for weights in options.weights:
        detector = Detector(Networks(card, opened(weights, often=WINDOW_SIZES), scout, auxiliary))
        for quality, damage in product(options.quality, options.damage):
            looked = bench.look(detector, quality, damage)
            about = {"weights": str(weights), "quality": quality, "damage": damage, "engine": options.engine}
            groups = {"all": looked}
            for item in looked if options.by else []:
                groups.setdefault(group_of.get(item.name, item.name.split("_")[0]), []).append(item)
            for group, items in groups.items():
                row = {**about, "group": group, **reported(options.object_class, items)}
                sys.stdout.write(f"{json.dumps(row)}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
