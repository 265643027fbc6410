"""Measure how much larger than the labels the boxes are, by size.

Run ``python -m training.looseness --class plate --split more --limit 500``; every box that found a label
(intersection over union of 0.3 or more) counts once. One line of JSON for each range of *label* widths,
as the question is put, and for each range of *box* widths, as a correction would have to be looked up.
On photos that the weights were trained on the figures flatter them.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from obscura.detection.detections import DetectionOptions
from obscura.detection.detector import Detector
from obscura.detection.networks import Networks
from obscura.detection.rescoring import WINDOW_SIZES
from obscura.detection.tiling import Quality
from obscura.detection.weights import card_for_class, default_models_dir, load_manifest
from obscura.evaluation import pairwise_iou
from training.evaluate import corners, labelled_photos
from training.more_packs import MORE, PEOPLE
from training.paths import MODELS, OBJECT_CLASSES, ObjectClass, model_name
from training.predict import read_photo
from training.product import open_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOUND_IOU = 0.3
EDGES = (0.0, 20.0, 40.0, 80.0, np.inf)
BOX_EDGES = (0.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, np.inf)


def pairs(detector: Detector, quality: Quality, split: str, limit: int) -> Floats:
    """Return label and box of every label found, ``[n, 8]``: corners in the photo's pixels."""
    found = [np.zeros((0, 8))]
    object_class: ObjectClass = "plate" if detector.card.class_name == "plate" else "face"
    photos = [item for item in labelled_photos(object_class, split) if len(item[1])]
    for index in np.linspace(0, len(photos) - 1, min(limit, len(photos))).round().astype(int):
        file, shares = photos[index]
        pixels = read_photo(file)
        labels = corners(shares, pixels.shape[1], pixels.shape[0])
        boxes = np.array([item.box for item in detector.detect(pixels, DetectionOptions(quality))])
        boxes = boxes.astype(np.float64).reshape(-1, 4)
        if not len(boxes):
            continue
        overlaps = pairwise_iou(labels, boxes)
        best = overlaps.argmax(axis=1)
        seen = overlaps.max(axis=1) >= FOUND_IOU
        found.append(np.concatenate([labels[seen], boxes[best[seen]]], axis=1))
    return np.concatenate(found)


def by_width(found: Floats, column: int, edges: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Yield medians of sides and centre against the label's, by the width of the box from ``column`` on."""
    widths = found[:, column + 2] - found[:, column]
    labels, boxes = found[:, :4], found[:, 4:]
    sides, box_sides = labels[:, 2:] - labels[:, :2], boxes[:, 2:] - boxes[:, :2]
    offset = ((boxes[:, :2] + boxes[:, 2:]) - (labels[:, :2] + labels[:, 2:])) / 2 / sides
    overlap = np.array([pairwise_iou(a[None], b[None])[0, 0] for a, b in zip(labels, boxes, strict=True)])
    for low, high in pairwise(edges):
        here = (widths >= low) & (widths < high)
        if here.any():
            ratio = np.median(box_sides[here] / sides[here], axis=0)
            yield {
                "widths": [low, high],
                "count": int(here.sum()),
                "width": round(float(ratio[0]), 3),
                "height": round(float(ratio[1]), 3),
                "centre": np.median(offset[here], axis=0).round(3).tolist(),
                "iou": round(float(np.median(overlap[here])), 3),
                "at_least_0.7": round(float((overlap[here] >= 0.7).mean()), 3),  # noqa: PLR2004
            }


def main() -> None:
    """Print how loose boxes are, by size."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--weights", type=Path, help="the shipped ones when left out")
    parser.add_argument("--split", default=PEOPLE, choices=(PEOPLE, MORE, "val", "unseen"))
    parser.add_argument("--quality", type=Quality, default=Quality.FAST)
    parser.add_argument("--limit", type=int, default=500, help="photos at most, spread over the split")
    parser.add_argument("--output", type=Path, help="file (.npy) for the pairs of label and box")
    options = parser.parse_args()
    card = card_for_class(load_manifest(default_models_dir() / "manifest.toml"), options.object_class)
    weights = options.weights or MODELS / f"{model_name(options.object_class)}.onnx"
    detector = Detector(Networks(card, open_weights(weights, "openvino-bf16", 1, WINDOW_SIZES)))
    found = pairs(detector, options.quality, options.split, options.limit)
    if options.output:
        np.save(options.output, found)
    for name, column, edges in (("label", 0, EDGES), ("box", 4, BOX_EDGES)):
        for row in by_width(found, column, edges):
            sys.stdout.write(f"{json.dumps({'by': name, **row})}\n")


if __name__ == "__main__":
    main()
