"""Draw small pictures of a run: losses and validation by epoch, and precision-recall of weights.

Run ``python -m training.curves run --class plate`` and
``python -m training.curves recall --class plate --weights starter.pt:starter shipped.onnx:shipped``.
"""

from __future__ import annotations

import argparse
import csv
from importlib import import_module
from pathlib import Path
from typing import Any

from obscura.evaluation import evaluate
from training.evaluate import BINS, forward_of, labelled_photos, looked_at
from training.paths import OBJECT_CLASSES, REPOSITORY, RUNS, ObjectClass
from training.predict import Pass
from training.prepare import read_corrections

CURVES = REPOSITORY / "training" / "curves"
INCHES = (7.0, 2.6)
DOTS_PER_INCH = 80


def draw_run(name: str) -> Path:
    """Draw the training losses and the trainer's own validation of a run; return the picture's path."""
    with (RUNS / name / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = [{key.strip(): float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    epochs = [row["epoch"] for row in rows]
    # Epochs that were not validated have zeros there, and one alone is no curve.
    validated = [row for row in rows if row["metrics/mAP50(B)"]]
    figure, axes = _canvas(2 if len(validated) > 1 else 1)
    left, right = axes[0], axes[-1]
    for loss in ("box_loss", "cls_loss", "dfl_loss"):
        left.plot(epochs, [row[f"train/{loss}"] for row in rows], marker="o", markersize=3, label=loss)
    left.set_title("training losses")
    for metric in ("mAP50(B)", "mAP50-95(B)", "recall(B)") if right is not left else ():
        right.plot(
            [row["epoch"] for row in validated],
            [row[f"metrics/{metric}"] for row in validated],
            marker="o",
            markersize=3,
            label=metric[:-3],
        )
        right.set_title("validation (trainer's figures)")
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.legend(fontsize=6)
    return _save(figure, f"{name}_run")


def draw_losses(name: str) -> Path:
    """Draw the losses of a run of :mod:`training.finetune` by step; return the picture's path."""
    with (RUNS / name / "losses.csv").open(encoding="utf-8", newline="") as file:
        rows = [[float(value) for value in row] for row in csv.reader(file)]
    steps = [row[1] for row in rows]
    figure, axes = _canvas(3)
    for axis, title, column in zip(axes, ("box", "class", "distances"), (2, 3, 4), strict=True):
        axis.plot(steps, [row[column] for row in rows], linewidth=1)
        axis.set(xlabel="step", title=title)
    return _save(figure, f"{name}_losses")


def draw_recall(object_class: ObjectClass, weights: list[tuple[Path, str]], size: int) -> Path:
    """Draw precision-recall, and recall against false boxes per photo, of several weights on val."""
    photos, ignored = labelled_photos(object_class, "val"), read_corrections(object_class, "val")
    figure, (left, right) = _canvas(2)
    for file, label in weights:
        seen = looked_at(forward_of(file, "onnxruntime"), photos, Pass(size), ignored)
        curve = evaluate(seen, BINS[object_class]).curve
        left.plot(curve.recall, curve.precision, label=label, linewidth=1)
        right.plot(curve.false_per_photo, curve.recall, label=label, linewidth=1)
    left.set(xlabel="recall", ylabel="precision", title=f"{object_class}, {size} px, IoU 0.5")
    right.set(xlabel="false boxes per photo", ylabel="recall", xscale="symlog", xlim=(0, 2))
    right.set_xscale("symlog", linthresh=0.05)
    right.legend(fontsize=6)
    return _save(figure, f"{object_class}_recall_{size}")


def _canvas(columns: int) -> tuple[Any, Any]:
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    size = (INCHES[0] * columns / 2, INCHES[1])
    canvas: tuple[Any, Any] = import_module("matplotlib.pyplot").subplots(
        1, columns, figsize=size, squeeze=False
    )
    canvas = canvas[0], canvas[1][0]
    for axis in canvas[1]:
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=6)
    return canvas


def _save(figure: Any, name: str) -> Path:  # noqa: ANN401 - matplotlib is optional here
    CURVES.mkdir(exist_ok=True)
    file = CURVES / f"{name}.png"
    figure.tight_layout()
    figure.savefig(file, dpi=DOTS_PER_INCH)
    return file


def _file_and_label(text: str) -> tuple[Path, str]:
    file, _, label = text.partition(":")
    return Path(file), label or file


def main() -> None:
    """Draw one picture into training/curves/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("picture", choices=("run", "losses", "recall"))
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--run", help="folder under build/training/runs; the class when left out")
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--weights", nargs="+", default=(), type=_file_and_label, metavar="FILE:LABEL")
    options = parser.parse_args()
    if options.picture == "run":
        draw_run(options.run or options.object_class)
    elif options.picture == "losses":
        draw_losses(options.run)
    else:
        draw_recall(options.object_class, options.weights, options.size)


if __name__ == "__main__":
    main()
