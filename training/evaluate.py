"""Measure weights on a split of their pack, at several sizes, with the product's own metrics.

Run ``python -m training.evaluate --class plate models/plate-yolov8n.onnx runs/plate/weights/last.pt``;
checkpoints are exported to a temporary ONNX file first, so that what is measured is what would ship.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from obscura.evaluation import FACE_BINS, PLATE_BINS, Photo, Report, evaluate
from training.export import export_onnx, rounded_network
from training.paths import OBJECT_CLASSES, ObjectClass, pack_folder
from training.predict import Forward, Pass, detect, onnx_forward, openvino_forward, read_photo
from training.prepare import Correction, read_corrections, read_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = {"face": FACE_BINS, "plate": PLATE_BINS}
ENGINES = ("onnxruntime", "openvino-f32", "openvino-bf16")
SIZES = (640, 960, 1280)


def forward_of(weights: Path, engine: str) -> Forward:
    """Return the network of an ``.onnx`` or ``.pt`` file, run by one engine."""
    with tempfile.TemporaryDirectory() as folder:
        file = weights
        if weights.suffix == ".pt":
            file = Path(folder) / f"{weights.stem}.onnx"
            export_onnx(rounded_network(weights), file)
        if engine == "onnxruntime":
            return onnx_forward(file)
        return openvino_forward(file, engine.removeprefix("openvino-"))


def labelled_photos(object_class: ObjectClass, split: str) -> list[tuple[Path, NDArray[np.float64]]]:
    """Return every photo of a split with its label boxes as shares of the photo, ``[n, 4]`` cx cy w h."""
    folder = pack_folder(object_class)
    photos = sorted((folder / "images" / split).iterdir())
    return [(photo, read_labels(folder / "labels" / split / f"{photo.stem}.txt")) for photo in photos]


def ignored_regions(object_class: ObjectClass, split: str) -> dict[str, NDArray[np.float64]]:
    """Return the regions of a split that count neither way by photo, ``[n, 4]`` cx cy w h as shares."""
    committed = read_corrections(object_class, split)
    regions = {
        photo: np.array([change.box for change in changes]).reshape(-1, 4)
        for photo, changes in committed.items()
    }
    folder = pack_folder(object_class) / "ignore" / split
    return regions | {file.stem: read_labels(file) for file in sorted(folder.glob("*.txt"))}


def looked_at(
    forward: Forward,
    photos: list[tuple[Path, NDArray[np.float64]]],
    look: Pass,
    ignored: dict[str, list[Correction]] | None = None,
) -> list[Photo]:
    """Return labels, detections and ignored regions of every photo, in its pixels."""
    results = []
    for file, shares in photos:
        pixels = read_photo(file)
        height, width = pixels.shape[:2]
        boxes, scores = detect(forward, pixels, look)
        regions = np.array([change.box for change in (ignored or {}).get(file.stem, [])]).reshape(-1, 4)
        labels = corners(shares, width, height)
        results.append(Photo(labels, boxes, scores, corners(regions, width, height)))
    return results


def corners(shares: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return YOLO labels (centre and sides as shares) as corners in pixels, ``[n, 4]``."""
    boxes = shares.copy()
    boxes[:, :2], boxes[:, 2:] = shares[:, :2] - shares[:, 2:] / 2, shares[:, :2] + shares[:, 2:] / 2
    boxes *= (width, height, width, height)
    return boxes


def figures(report: Report) -> dict[str, Any]:
    """Return a report's figures, rounded, ready for JSON."""
    return {
        "photos": report.photos,
        "labels": report.labels,
        "ap": round(report.average_precision, 4),
        "recall_at_0.1": round(report.recall_few_false, 4),
        "recall_at_1": round(report.recall_more_false, 4),
        "floor_at_0.1": round(report.floor_few_false, 3),
        "floor_at_1": round(report.floor_more_false, 3),
        "covered_at_0.1": round(report.covered, 4),
        "bins": {
            size.name: [size.labels, round(size.recall_few_false, 3), round(size.recall_more_false, 3)]
            for size in report.bins
        },
    }


def main() -> None:
    """Print one JSON object per weights, size and overlap."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--split", default="val", choices=("val", "unseen", "train"))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--max-enlargement", type=float, default=2.0)
    parser.add_argument("--overlaps", type=float, nargs="+", default=(0.5,))
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument(
        "--prefix", default="", help="only photos whose name begins so: one source of the pack"
    )
    parser.add_argument("--audited", action="store_true", help="ignore real objects found to lack a label")
    options = parser.parse_args()
    ignored = read_corrections(options.object_class, options.split) if options.audited else {}
    photos = labelled_photos(options.object_class, options.split)
    photos = [(file, shares) for file, shares in photos if file.name.startswith(options.prefix)]
    for weights in options.weights:
        forward = forward_of(weights, options.engine)
        for size in options.sizes:
            seen = looked_at(forward, photos, Pass(size, options.max_enlargement), ignored)
            for overlap in options.overlaps:
                report = figures(evaluate(seen, BINS[options.object_class], overlap))
                row = {
                    "weights": str(weights),
                    "size": size,
                    "iou": overlap,
                    "engine": options.engine,
                    "audited": options.audited,
                    **report,
                }
                sys.stdout.write(f"{json.dumps(row)}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
