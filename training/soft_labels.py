"""Soft labels of faces: what a teacher, our own network and the pack's labels say about each training photo.

The teacher (YuNet-n with the input and output of ours: :mod:`training.auxiliary`) sees a photo at 1.5 times
its size, mirrored as well, and at twice its size, which counts for small faces. Its boxes are fused with
those of the shipped face network as the product fuses them, and what the pack labels is sure. Run ``python
-m training.soft_labels FOLDER/yunet-n.onnx``; a file a photo goes to ``build/training/soft_labels``, and
the run goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from obscura.detection.fusion import AUXILIARY_FUSION, fuse
from obscura.detection.merging import Candidates
from obscura.detection.rescoring import log_odds
from obscura.evaluation import pairwise_iou
from training.evaluate import corners, forward_of, labelled_photos
from training.more_packs import MORE
from training.paths import BUILD, MODELS, OBJECT_CLASSES, model_name
from training.predict import Pass, detect, read_photo, suppress
from training.prepare import centred
from training.scenes import Labelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.predict import Floats, Forward, Pixels

    Found = tuple[Floats, Floats]
    """Boxes ``[n, 4]``, corners in the photo's pixels, and their scores ``[n]``."""

KEPT = BUILD / "soft_labels"
LOWEST_SCORE = 0.03
ENLARGED, ENLARGED_MORE = 1.5, 2.0
LARGEST_SIDE, LARGEST_SIDE_MORE = 960, 1280
SMALL_PX = 32.0
"""Height below which a face counts as the surest look says; the one at twice the size loses large ones."""

SAME_LOOK, SAME_FACE = 0.5, 0.4
"""Intersection over union from which boxes of two looks, and a box and a label, are the same face."""

SURE, MISSED = 0.6, 0.3
"""Sureness of a face from which our network should see it, and its score below which it does not."""

LABELLED = 0.95
"""Sureness of what the pack labels."""

LEAST = 0.06
"""Sureness below which a place is background."""

HARD_WEIGHT, EMPTY_WEIGHT = 3.0, 0.2
"""How often photos are taken in which our network misses a sure face, and those of plates."""

TRUSTED_BOX = 0.4
"""Score of the teacher from which its box is learnt, whatever the others say: it is the tighter one."""


def look(teacher: Forward, pixels: Pixels) -> Found:
    """Return what the teacher sees in a photo in three looks, one box for each place."""
    side = max(pixels.shape[:2])
    usual = Pass(max(side, min(LARGEST_SIDE, round(side * ENLARGED))), ENLARGED, LOWEST_SCORE)
    more = Pass(max(side, min(LARGEST_SIDE_MORE, round(side * ENLARGED_MORE))), ENLARGED_MORE, LOWEST_SCORE)
    boxes, scores = detect(teacher, np.ascontiguousarray(pixels[:, ::-1]), usual)
    boxes[:, [0, 2]] = pixels.shape[1] - boxes[:, [2, 0]]
    return together([detect(teacher, pixels, usual), (boxes, scores), detect(teacher, pixels, more)])


def together(looks: Sequence[Found]) -> Found:
    """Return the boxes of three looks as one list: scores of the first two averaged as log-odds."""
    boxes, scores = (np.concatenate([found[part] for found in looks]) for part in (0, 1))
    which = np.repeat(np.arange(len(looks)), [len(found[1]) for found in looks])
    found_boxes, found_scores, left = [], [], np.argsort(-scores, kind="stable")
    while len(left):
        here = pairwise_iou(boxes[left[:1]], boxes[left])[0] >= SAME_LOOK
        here[0] = True  # a box without area overlaps nothing, not even itself
        same, left = left[here], left[~here]
        by_look = [scores[same[which[same] == n]].max(initial=LOWEST_SCORE) for n in range(len(looks))]
        box = np.average(boxes[same], axis=0, weights=scores[same])
        mean = 1 / (1 + np.exp(-log_odds(np.array(by_look[:2])).mean()))
        found_boxes.append(box)
        found_scores.append(max(mean, by_look[2]) if box[3] - box[1] < SMALL_PX else mean)
    return np.array(found_boxes).reshape(-1, 4), np.array(found_scores)


def soft_labels(labels: Floats, teacher: Found, own: Found) -> Found:
    """Return one box for each face or what may be one, corners in pixels, and how sure it is, 0..1."""
    fused = fuse(_candidates(own), _candidates(teacher), AUXILIARY_FUSION)
    boxes, sureness = fused.boxes.astype(np.float64), fused.scores.astype(np.float64)
    shared = pairwise_iou(boxes, teacher[0])
    if len(teacher[0]):
        nearest = shared.argmax(axis=1)
        trusted = (shared.max(axis=1) >= SAME_FACE) & (teacher[1][nearest] >= TRUSTED_BOX)
        boxes[trusted] = teacher[0][nearest[trusted]]
    of_labels = pairwise_iou(boxes, labels)
    unseen = np.ones(len(labels), dtype=np.bool_)
    for number in range(len(labels)):
        if of_labels[:, number].max(initial=0.0) >= SAME_FACE:
            unseen[number] = False
            sureness[of_labels[:, number].argmax()] = LABELLED
    boxes = np.concatenate([boxes, labels[unseen]])
    sureness = np.concatenate([sureness, np.full(int(unseen.sum()), LABELLED)])
    kept = suppress(boxes, sureness, SAME_LOOK)
    kept = kept[sureness[kept] >= LEAST]
    return boxes[kept], sureness[kept]


def _candidates(found: Found) -> Candidates:
    boxes, scores = found
    count = len(scores)
    return Candidates(
        boxes.astype(np.float32),
        scores.clip(1e-4, 1 - 1e-4).astype(np.float32),
        np.zeros(count, np.bool_),
        np.zeros(count, np.intp),
        np.ones(count, np.float32),
    )


def softly_labelled() -> Iterator[Labelled]:
    """Yield the training photos of both packs that were looked at, with their soft labels of faces."""
    for photo, _, file in _photos():
        if file.exists():
            found = np.load(file)
            yield Labelled(photo, found["shares"], found["sureness"], float(found["weight"]))


def _photos() -> Iterator[tuple[Path, Floats, Path]]:
    """Yield the photos, their labels of faces and where soft ones are kept; plates' photos have no labels."""
    for name in OBJECT_CLASSES:
        for split in ("train", MORE):
            for photo, shares in labelled_photos(name, split):
                labels = shares if name == "face" else np.zeros((0, 4))
                yield photo, labels, KEPT / f"{name}_{photo.stem}.npz"


def weight_of(found: Found, own: Found) -> float:
    """Return how often a photo is taken: more where our own network misses a face that is sure."""
    boxes, sureness = found
    shared = pairwise_iou(boxes, own[0]) >= SAME_FACE
    seen = np.where(shared, own[1], 0.0).max(axis=1, initial=0.0)
    return HARD_WEIGHT if ((sureness > SURE) & (seen < MISSED)).any() else 1.0


def main() -> None:
    """Look at every training photo and keep its soft labels."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("teacher", type=Path, help="ONNX file with the input and output of our networks")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    teacher = forward_of(options.teacher, "openvino-bf16")
    own = partial(detect, forward_of(MODELS / f"{model_name('face')}.onnx", "openvino-bf16"))
    KEPT.mkdir(parents=True, exist_ok=True)
    for photo, labels, target in _photos():
        if target.exists():
            continue
        pixels = read_photo(photo)
        height, width = pixels.shape[:2]
        seen = own(pixels, Pass(min_confidence=LOWEST_SCORE))
        found = soft_labels(corners(labels, width, height), look(teacher, pixels), seen)
        shares = centred(found[0] / np.array([width, height, width, height]))
        weight = weight_of(found, seen) if target.name.startswith("face") else EMPTY_WEIGHT
        np.savez(target, shares=shares, sureness=found[1], weight=weight)


if __name__ == "__main__":
    main()
