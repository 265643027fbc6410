"""Measure our detectors and peers on photos whose boxes people drew; nothing was ever trained on them.

Run ``python -m training.people --class face`` after :mod:`training.more_packs`: a line of JSON and, at
the end, a table of Markdown. ``--weights`` measures other weights than the shipped ones, ``--peers``
adds what :mod:`training.peers` opens. *Hidden* is the share of all labelled pixels that lie under the
boxes, grown by a factor, that are left at one false box per photo: what counts in the end, and the same
rule for every detector.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.rescoring import WINDOW_SIZES
from obscura.detection.tiling import PROPOSAL_SIZES, Quality
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.evaluation import Photo, evaluate, pairwise_iou
from obscura.evaluation.matching import match
from obscura.evaluation.metrics import score_floor
from obscura.evaluation.report import covered_area_share
from training.contact_sheet import write_sheets
from training.evaluate import BINS, corners, ignored_regions, labelled_photos
from training.more_packs import MORE, PEOPLE
from training.paths import MODELS, OBJECT_CLASSES, SCOUT, ObjectClass, model_name
from training.peers import PEERS, open_measured
from training.predict import read_photo
from training.product import open_auxiliary, open_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from obscura.evaluation.peers import Found, Peer

    Pixels = NDArray[np.uint8]

LOWEST_SCORE = 0.01
LOOSE = 0.35
GROWTHS = (1.1, 1.3)
SHOWN = 70


class Product:
    """Our detector at one quality, as the product runs it."""

    def __init__(self, name: str, detector: Detector, quality: Quality) -> None:
        self.name, self._detector, self._quality = f"{name} {quality.value}", detector, quality
        self.default_score = detector.card.min_confidence

    def detect(self, pixels: Pixels, min_score: float) -> Found:
        """Return what the product finds; see `obscura.evaluation.peers.Peer`."""
        found = self._detector.detect(pixels, DetectionOptions(self._quality, min_score))
        boxes = np.array([item.box for item in found], np.float64).reshape(-1, 4)
        return boxes, np.array([item.confidence for item in found], np.float64)


class Labelled(NamedTuple):
    """A photo, its labels, and the regions that count neither way: corners in its pixels."""

    file: Path
    pixels: Pixels
    labels: NDArray[np.float64]
    ignored: NDArray[np.float64]


def read_split(object_class: ObjectClass, split: str, prefix: str = "") -> list[Labelled]:
    """Return every photo of a split whose name begins so, with its labels."""
    regions, read = ignored_regions(object_class, split), []
    for file, shares in labelled_photos(object_class, split):
        if not file.name.startswith(prefix):
            continue
        pixels = read_photo(file)
        height, width = pixels.shape[:2]
        ignored = regions.get(file.stem, np.zeros((0, 4)))
        read.append(Labelled(file, pixels, corners(shares, width, height), corners(ignored, width, height)))
    return read


class Seen(NamedTuple):
    """What a detector found in every photo, and the processor time for one, in milliseconds."""

    photos: list[Photo]
    cpu_ms: float


def look(peer: Peer, photos: Sequence[Labelled]) -> Seen:
    """Let a detector look at every photo."""
    seen, spent = [], 0.0
    for photo in photos:
        started = time.process_time()
        boxes, scores = peer.detect(photo.pixels, LOWEST_SCORE)
        spent += time.process_time() - started
        seen.append(Photo(photo.labels, boxes, scores, photo.ignored))
    return Seen(seen, spent * 1000 / len(photos))


def write_sheets_of(name: str, photos: Sequence[Labelled], seen: Seen, folder: Path) -> None:
    """Write sheets of the surest false boxes and of the largest labels missed at one of those per photo."""
    outcomes = [match(photo) for photo in seen.photos]
    floor = score_floor(outcomes, 1.0)
    false, missed = [], []
    for photo, found, outcome in zip(photos, seen.photos, outcomes, strict=True):
        overlaps = pairwise_iou(found.boxes, found.labels).max(axis=1, initial=0.0)
        order = np.argsort(-found.scores, kind="stable")
        wrong = set(outcome.scores[~outcome.hits].tolist())
        false += [
            (
                float(found.scores[index]),
                (photo.file, found.boxes[index], f"{found.scores[index]:.2f} {overlaps[index]:.2f}"),
            )
            for index in order
            if float(found.scores[index]) in wrong
        ]
        missed += [
            (float(np.prod(label[2:] - label[:2])), (photo.file, label, f"{score:.2f}"))
            for label, score in zip(found.labels, outcome.label_scores, strict=True)
            if score <= floor
        ]
    folder.mkdir(parents=True, exist_ok=True)
    for kind, tiles in (("false", false), ("missed", missed)):
        chosen = sorted(tiles, key=lambda item: -item[0])[:SHOWN]
        write_sheets(folder / f"{name.replace(' ', '_')}_{kind}", [tile for _, tile in chosen])


def measured(name: str, look_of: Seen, object_class: ObjectClass) -> dict[str, Any]:
    """Return one detector's figures on labelled photos, ready for JSON."""
    seen = look_of.photos
    bins = BINS[object_class]
    report, loose = evaluate(seen, bins), evaluate(seen, bins, LOOSE)
    hidden = [covered_area_share(seen, report.floor_more_false, growth) for growth in GROWTHS]
    return {
        "name": name,
        "labels": report.labels,
        "ap50": round(report.average_precision, 3),
        "ap35": round(loose.average_precision, 3),
        "recall": [round(report.recall_few_false, 3), round(report.recall_more_false, 3)],
        "recall35": [round(loose.recall_few_false, 3), round(loose.recall_more_false, 3)],
        "floors": [
            round(floor, 3) if math.isfinite(floor) else None
            for floor in (report.floor_few_false, report.floor_more_false)
        ],
        "bins": {
            size.name: [size.labels, round(size.recall_few_false, 3), round(size.recall_more_false, 3)]
            for size in report.bins
        },
        "hidden": [round(share, 3) for share in hidden],
        "cpu_ms": round(look_of.cpu_ms, 1),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures as a table of Markdown."""
    names = [f"{name} ({size[0]})" for name, size in rows[0]["bins"].items()]
    heads = ["", "AP50", "AP35", "recall at 0.1 / 1", *names, "hidden, grown 1.1 / 1.3", "CPU ms"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        recalls = [row["recall"], *(size[1:] for size in row["bins"].values()), row["hidden"]]
        pairs = [f"{first:.3f} / {second:.3f}" for first, second in recalls]
        lines.append(
            [row["name"], f"{row['ap50']:.3f}", f"{row['ap35']:.3f}", *pairs, f"{row['cpu_ms']:.0f}"]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def detectors(options: argparse.Namespace) -> Iterator[Peer]:
    """Yield what is asked for, one at a time."""
    object_class: ObjectClass = options.object_class
    for name in options.peers:
        yield open_measured(name)
    card = card_for_class(load_manifest(options.models / "manifest.toml"), object_class)
    scout = open_weights(MODELS / f"{SCOUT}.onnx", options.engine, options.threads, PROPOSAL_SIZES)
    auxiliary = open_auxiliary(options.models, card, options.engine, options.threads)
    for weights in options.weights or [MODELS / f"{model_name(object_class)}.onnx"]:
        session = open_weights(weights, options.engine, options.threads, WINDOW_SIZES)
        detector = Detector(Networks(card, session, scout, auxiliary))
        name = "obscura" if weights.parent == MODELS else weights.stem
        for quality in options.quality:
            yield Product(name, detector, quality)


def main() -> None:
    """Print the figures of detectors on photos whose boxes people drew."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--weights", nargs="*", type=Path, default=[])
    parser.add_argument("--models", type=Path, default=default_models_dir(), help="folder with manifest.toml")
    parser.add_argument("--split", default=PEOPLE, choices=(PEOPLE, "val", "unseen", MORE))
    parser.add_argument("--prefix", default="", help="photos of one source only")
    qualities = [Quality.RAPID, Quality.FAST, Quality.BALANCED]
    parser.add_argument("--quality", nargs="*", type=Quality, default=qualities)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=())
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets of false boxes and misses")
    parser.add_argument("--engine", default="openvino-bf16")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    photos, rows = read_split(options.object_class, options.split, options.prefix), []
    for peer in detectors(options):
        seen = look(peer, photos)
        rows.append(measured(peer.name, seen, options.object_class))
        if options.sheets:
            write_sheets_of(peer.name, photos, seen, options.sheets)
        sys.stdout.write(f"{json.dumps(rows[-1])}\n")
        sys.stdout.flush()
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
