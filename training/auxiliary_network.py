"""Train an auxiliary network of faces on soft labels, from the proposal network's weights.

Run ``python -m training.auxiliary_network --minutes 70`` after :mod:`training.soft_labels`; the same line run
again goes on. Its layers are those of the proposal network with a score for faces alone. Anchors are assigned
as YOLOv8 does it (Feng et al. 2021, "Task-aligned One-stage Object Detection"), and what they shall
say is multiplied by how sure the label is.
"""

from __future__ import annotations

import argparse
import copy
import queue
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from training.augment import DamageChances, PhotographicDamage
from training.averaged import TELL_EVERY_S, AveragedNetwork, Schedule, timed
from training.distil import anchors
from training.finetune import STATE, in_float32
from training.paths import MODELS, RUNS, SCOUT
from training.runtime import load_model, prepare_runtime
from training.scene_recipes import SOURCE_WEIGHTS
from training.scenes import SceneChances, ShotDetector
from training.soft_labels import softly_labelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.scenes import Scene

SHAPES = ((448, 576), (576, 448), (512, 512), (384, 640), (640, 416))
BATCH = 8
CHANCES = SceneChances(
    four=0.35,
    small=(9.0, 36.0),
    usual=(32.0, 110.0),
    large=(96.0, 560.0),
    shares=(0.5, 0.28, 0.22),
    turned=0.06,
    quarters=0.04,
    tilt=15.0,
    close=0.1,
)
"""The network sees photos at 1.5 times their size: faces of 6 to 24 photo pixels are half of those chosen."""

WARM_UP_STEPS = 150
LAST_RATE = 0.01
AVERAGED = 0.9985
DAMAGED = 0.5
LEARNT_BOX = 0.3
"""Sureness of a label from which its box is learnt, not only its score."""

BOX_WEIGHT, DISTANCE_WEIGHT = 2.5, 0.25
LEAST_TOTAL = 4.0
"""What a batch's loss is divided by at least, in sure anchors: one without faces counts less."""

SAVE_EVERY_S = 600


def batches(seed: int) -> Iterator[list[Scene]]:
    """Yield scenes for ever, put together and spoilt in a thread of its own."""
    random, damage = np.random.default_rng(seed), PhotographicDamage(DamageChances(), seed)
    scenes = ShotDetector(
        list(softly_labelled()), SOURCE_WEIGHTS["face"] | {"neg": 0.8}, CHANCES, seed, is_round=True
    )
    ready: queue.Queue[list[Scene]] = queue.Queue(3)

    def spoilt(scene: Scene) -> Scene:
        light, red, blue = random.uniform(0.65, 1.35, 3) ** np.array([1.0, 0.3, 0.3])
        channels = np.array([light * blue, light, light * red, 1.0])
        pixels = np.asarray(cv2.multiply(scene.pixels, channels), np.uint8)
        return scene._replace(pixels=damage.damage(pixels) if random.random() < DAMAGED else pixels)

    def compose() -> None:
        cv2.setNumThreads(1)
        while True:
            shape = SHAPES[random.integers(len(SHAPES))]
            ready.put([spoilt(scenes.scene(*shape)) for _ in range(BATCH)])

    threading.Thread(target=compose, daemon=True).start()
    while True:
        yield ready.get()


class SoftLosses:
    """Losses of scores and boxes against labels that are more or less sure."""

    def __init__(self) -> None:
        self._torch = import_module("torch")
        self._iou = import_module("ultralytics.utils.metrics").bbox_iou
        self._assigner = import_module("ultralytics.utils.tal").TaskAlignedAssigner(
            topk=10, num_classes=1, alpha=0.5, beta=6.0
        )

    def __call__(self, said: dict[str, Any], scenes: list[Scene]) -> tuple[Any, Any]:
        """Return both losses, each per sure object."""
        torch = self._torch
        points, strides = anchors(scenes[0].pixels.shape[:2])
        step = strides[:, None]
        logits, distances = said["scores"].transpose(1, 2), said["boxes"].transpose(1, 2)
        boxes = torch.cat([points - distances[..., :2] * step, points + distances[..., 2:] * step], dim=-1)
        labels, sureness = self._labels(scenes)
        classes = torch.zeros(*sureness.shape, 1, dtype=torch.long)
        with torch.no_grad():
            _, target, goal, positive, which = self._assigner(
                logits.sigmoid(), boxes, points, classes, labels, sureness[..., None] > 0
            )
            sure = sureness.gather(1, which) * positive
            goal = goal * sure[..., None]
        of_scores = torch.nn.functional.binary_cross_entropy_with_logits(logits, goal, reduction="sum")
        of_scores = of_scores / goal.sum().clamp(min=LEAST_TOTAL)
        learnt = sure > LEARNT_BOX
        if not learnt.any():
            return of_scores, logits.sum() * 0
        here, size = points.expand(len(scenes), -1, -1)[learnt], step.expand(len(scenes), -1, -1)[learnt]
        wanted, weight = target[learnt], goal[learnt]
        overlap = self._iou(boxes[learnt], wanted, xywh=False, CIoU=True)
        true = torch.cat([here - wanted[:, :2], wanted[:, 2:] - here], dim=1) / size
        off = (distances[learnt] - true).abs().mean(dim=1, keepdim=True)
        of_boxes = ((1 - overlap) * BOX_WEIGHT + off * DISTANCE_WEIGHT) * weight
        return of_scores, of_boxes.sum() / weight.sum().clamp(min=1.0)

    def _labels(self, scenes: list[Scene]) -> tuple[Any, Any]:
        """Return the labels of a batch, ``[batch, most, 4]``, and their sureness; 0 where there is none."""
        most = max(1, *(len(scene.boxes) for scene in scenes))
        labels, sureness = np.zeros((len(scenes), most, 4)), np.zeros((len(scenes), most))
        for number, scene in enumerate(scenes):
            labels[number, : len(scene.boxes)] = scene.boxes
            sureness[number, : len(scene.boxes)] = scene.sureness
        return self._torch.from_numpy(labels).float(), self._torch.from_numpy(sureness).float()


def auxiliary_network(weights: Path) -> Any:  # noqa: ANN401 - ultralytics is untyped
    """Return the proposal network of a checkpoint with its score for faces alone."""
    torch = import_module("torch")
    network: Any = load_model(weights)
    head = network.model[-1]
    for branch in head.cv3:
        known = branch[-1]
        branch[-1] = torch.nn.Conv2d(known.in_channels, 1, 1)
        branch[-1].weight.data.copy_(known.weight[:1])
        branch[-1].bias.data.copy_(known.bias[:1])
    head.nc, head.no = 1, 1 + 4
    network.nc, network.names, network.yaml = 1, {0: "face"}, {**network.yaml, "nc": 1}
    for part in network.parameters():
        part.requires_grad_(True)  # noqa: FBT003 - torch's own
    return network


def train(learning: AveragedNetwork, scenes: Iterator[list[Scene]], minutes: float, run: Path) -> Path:
    """Train until so many minutes are spent, from the run's state if it has one; return the last weights."""
    run.mkdir(parents=True, exist_ok=True)
    losses_of, losses = SoftLosses(), []
    learning.network.train()
    spent = learning.go_on(run / STATE) if (run / STATE).exists() else 0.0
    told = saved = spent
    for batch, seconds in timed(scenes, minutes, spent):
        spent = seconds
        done = spent / (minutes * 60)
        said = learning.forward(np.stack([scene.pixels[..., ::-1] for scene in batch]))
        of_scores, of_boxes = losses_of(in_float32(said), batch)
        learning.step(of_scores + of_boxes, done)
        losses.append((of_scores.item(), of_boxes.item()))
        if spent - told > TELL_EVERY_S:
            row = (round(done, 4), learning.steps, *np.mean(losses, axis=0).round(4))
            sys.stdout.write(f"{' '.join(map(str, row))}\n")
            sys.stdout.flush()
            told, losses = spent, []
        if spent - saved > SAVE_EVERY_S:
            _save(learning, run / f"at{round(done * 100):02d}.pt")
            learning.keep(run / STATE, spent)
            saved = spent
    learning.keep(run / STATE, spent)
    return _save(learning, run / "last.pt")


def _save(learning: AveragedNetwork, target: Path) -> Path:
    network = copy.deepcopy(learning.average).float().eval()
    import_module("torch").save({"model": network, "ema": None}, target)
    return target


def main() -> None:
    """Train an auxiliary network of faces."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--rate", type=float, default=1e-3, help="the highest learning rate")
    parser.add_argument("--weights", type=Path, default=MODELS / f"{SCOUT}.pt", help="a scout to start from")
    parser.add_argument("--name", default="auxiliary", help="of the run's folder")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    prepare_runtime()
    torch = import_module("torch")
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    schedule = Schedule(options.rate, LAST_RATE, WARM_UP_STEPS, AVERAGED)
    learning = AveragedNetwork(auxiliary_network(options.weights), schedule)
    last = train(learning, batches(options.seed), options.minutes, RUNS / options.name)
    sys.stdout.write(f"{last}\n")


if __name__ == "__main__":
    main()
