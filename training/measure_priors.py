"""Measure rules about size and shape of boxes: false boxes removed against objects lost.

Run ``python -m training.measure_priors --class plate models/plate-yolov8n.onnx``. Every rule is tried
alone on the validation split; the product is not changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from obscura.evaluation import Photo, evaluate
from training.evaluate import BINS, figures, forward_of, labelled_photos, looked_at
from training.paths import OBJECT_CLASSES, ObjectClass
from training.predict import Pass
from training.prepare import read_corrections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]

REPORTED = ("ap", "recall_at_0.1", "recall_at_1", "floor_at_0.1")


@dataclass(frozen=True, slots=True)
class Rule:
    """Bounds within which a box is kept; sides in pixels of the photo, aspect = width / height."""

    name: str
    min_side: float = 0.0
    min_aspect: float = 0.0
    max_aspect: float = float("inf")

    def keeps(self, photo: Photo) -> Flags:
        """Return which detections the rule keeps, ``[n]``."""
        sides = photo.boxes[:, 2:] - photo.boxes[:, :2]
        aspect = sides[:, 0] / np.maximum(sides[:, 1], 1e-9)
        kept: Flags = sides.min(axis=1) >= self.min_side
        return kept & (aspect >= self.min_aspect) & (aspect <= self.max_aspect)


RULES: dict[ObjectClass, tuple[Rule, ...]] = {
    "plate": (
        Rule("none"),
        Rule("aspect 0.7-7", min_aspect=0.7, max_aspect=7.0),
        Rule("aspect 1-6", min_aspect=1.0, max_aspect=6.0),
        Rule("shorter side >= 5 px", min_side=5.0),
        Rule("shorter side >= 8 px", min_side=8.0),
    ),
    "face": (
        Rule("none"),
        Rule("aspect 0.4-1.6", min_aspect=0.4, max_aspect=1.6),
        Rule("aspect 0.5-1.3", min_aspect=0.5, max_aspect=1.3),
        Rule("shorter side >= 5 px", min_side=5.0),
        Rule("shorter side >= 8 px", min_side=8.0),
    ),
}


def restricted(photo: Photo, rule: Rule) -> Photo:
    """Return the photo with only the detections a rule keeps."""
    kept = rule.keeps(photo)
    return replace(photo, boxes=photo.boxes[kept], scores=photo.scores[kept])


def main() -> None:
    """Print one JSON object per rule."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--size", type=int, default=640)
    options = parser.parse_args()
    ignored = read_corrections(options.object_class, "val")
    photos = labelled_photos(options.object_class, "val")
    seen = looked_at(forward_of(options.weights, "onnxruntime"), photos, Pass(options.size), ignored)
    for rule in RULES[options.object_class]:
        report = figures(evaluate([restricted(photo, rule) for photo in seen], BINS[options.object_class]))
        row = {"rule": rule.name, **{name: report[name] for name in REPORTED}}
        sys.stdout.write(f"{json.dumps(row)}\n")


if __name__ == "__main__":
    main()
