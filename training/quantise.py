"""Compute a detector in 8 bits, calibrated on its own training photos, and say whether it may replace 16.

Run ``python -m training.quantise --class plate``: writes ``build/training/<name>-int8.xml`` and ``.bin``
(OpenVINO) and compares recall with bfloat16 on the validation split, at 0.1 and 1 false box per photo, over
all and in every size bin. Exit status 1 where any of them falls by a point or more: 8 bits are
then not shipped.

The head's last layers stay as they are: they turn small differences into whole pixels and scores.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from obscura.evaluation import evaluate
from training.evaluate import BINS, figures, labelled_photos, looked_at
from training.paths import BUILD, MODELS, OBJECT_CLASSES, ObjectClass, model_name
from training.predict import Forward, Pass, letterbox, openvino_forward, read_photo
from training.prepare import read_corrections

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALIBRATION_PHOTOS = 150
# Of the head, only the convolutions before the last ones are worth their speed and harmless.
KEPT_LAYERS = (r".*model\.22/cv[23]\.\d/cv[23]\.\d\.2.*", r".*model\.22/(?!cv).*")
MOST_LOST = 0.01


def calibration_inputs(object_class: ObjectClass, look: Pass) -> list[NDArray[np.float32]]:
    """Return the network's inputs for photos spread evenly over the training split."""
    photos = labelled_photos(object_class, "train")
    chosen = np.linspace(0, len(photos) - 1, min(CALIBRATION_PHOTOS, len(photos))).round().astype(int)
    return [letterbox(read_photo(photos[index][0]), look)[0] for index in chosen]


def quantise(source: Path, inputs: list[NDArray[np.float32]], target: Path) -> None:
    """Write ``source`` (ONNX) in 8 bits to ``target`` (``.xml``)."""
    nncf, openvino = import_module("nncf"), import_module("openvino")
    ignored = nncf.IgnoredScope(patterns=list(KEPT_LAYERS), validate=False)
    model = nncf.quantize(
        openvino.Core().read_model(str(source)),
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=ignored,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, str(target))


def compared(
    object_class: ObjectClass, forwards: dict[str, Forward], look: Pass
) -> dict[str, dict[str, Any]]:
    """Return each network's figures on the validation split."""
    photos, ignored = labelled_photos(object_class, "val"), read_corrections(object_class, "val")
    return {
        name: figures(evaluate(looked_at(forward, photos, look, ignored), BINS[object_class]))
        for name, forward in forwards.items()
    }


def losses(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Return by how much each recall fell, over all and by size."""
    fallen = {key: before[key] - after[key] for key in ("recall_at_0.1", "recall_at_1")}
    for size, (_, few, more) in before["bins"].items():
        fallen[f"{size} at 0.1"] = few - after["bins"][size][1]
        fallen[f"{size} at 1"] = more - after["bins"][size][2]
    return {key: round(value, 3) for key, value in fallen.items()}


def main() -> None:
    """Quantise one class's shipped weights and judge them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--weights", type=Path, help="ONNX file; the shipped one when left out")
    parser.add_argument("--size", type=int, default=640)
    options = parser.parse_args()
    name = model_name(options.object_class)
    source, target = options.weights or MODELS / f"{name}.onnx", BUILD / f"{name}-int8.xml"
    look = Pass(options.size)
    quantise(source, calibration_inputs(options.object_class, look), target)
    forwards = {"bf16": openvino_forward(source, "bf16"), "int8": openvino_forward(target, "bf16")}
    seen = compared(options.object_class, forwards, look)
    fallen = losses(seen["bf16"], seen["int8"])
    for key, value in {**seen, "fallen by": fallen}.items():
        sys.stdout.write(f"{key}: {value}\n")
    sys.exit(max(fallen.values()) >= MOST_LOST)


if __name__ == "__main__":
    main()
