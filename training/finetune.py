"""Fine-tune a detector on scenes made for small, turned and covered objects (:mod:`training.scenes`).

Run ``python -m training.finetune --class face --minutes 75``. Meant for hours in the background: the
schedule follows the time that training itself took, `STATE` is written every few minutes, and the same
line run again goes on from there (``--fresh`` begins anew; a longer ``--minutes`` stretches what is
left). The mean of the weights over the last steps is what counts; it is kept as ``at10.pt``,
``at20.pt``, ... and ``last.pt`` in ``build/training/runs/<name>``.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import os
import queue
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from training.augment import DamageChances, PhotographicDamage
from training.coverings import CoveringChances, FaceCoverings
from training.decoys import DECOYS, Decoys
from training.evaluate import labelled_photos
from training.glass import GlassChances, WindowGlass
from training.more_packs import MORE
from training.paths import MODELS, OBJECT_CLASSES, RUNS, ObjectClass, model_name
from training.runtime import load_model, prepare_runtime
from training.scene_recipes import CHANCES, GAINS, SOURCE_WEIGHTS
from training.scenes import SHAPES, Labelled, ShotDetector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from training.scenes import Scene

BATCH = 8
WARM_UP_STEPS = 100
LAST_RATE = 0.03
AVERAGED = 0.998
DECAY = 0.01
LARGEST_STEP = 10.0
STATE = "state.pt"
SAVE_EVERY_S = 240
TELL_EVERY_S = 60
SNAPSHOTS = 10
PAUSE_S = 60
"""A step that took longer counts as this long: the machine slept or was busy with something else."""


def training_photos(object_class: ObjectClass) -> list[Labelled]:
    """Return all photos that a class trains on, with their labels."""
    return [Labelled(*item) for split in ("train", MORE) for item in labelled_photos(object_class, split)]


def batches(object_class: ObjectClass, seed: int) -> Iterator[list[Scene]]:
    """Yield scenes for ever, put together and spoilt in a thread of its own."""
    is_face = object_class == "face"
    scenes = ShotDetector(
        training_photos(object_class),
        SOURCE_WEIGHTS[object_class],
        CHANCES[object_class],
        seed,
        is_round=is_face,
    )
    random, damage = np.random.default_rng(seed), PhotographicDamage(DamageChances(), seed)
    drawn: list[Any] = [Decoys(DECOYS[object_class], seed)]
    if is_face:
        covered = FaceCoverings(CoveringChances(face=0.18), seed)
        drawn = [covered, *drawn, WindowGlass(GlassChances(), seed)]
    ready: queue.Queue[list[Scene]] = queue.Queue(3)

    def spoilt(scene: Scene) -> Scene:
        pixels = scene.pixels
        for drawing in drawn:
            pixels = drawing.draw(pixels, scene.boxes)
        light, red, blue = random.uniform(0.6, 1.4, 3) ** np.array([1.0, 0.3, 0.3])
        pixels = (pixels * (light * np.array([blue, 1.0, red]))).clip(0, 255).astype(np.uint8)
        return scene._replace(pixels=damage.damage(pixels))

    def compose() -> None:
        cv2.setNumThreads(1)
        while True:
            shape = SHAPES[random.integers(len(SHAPES))]
            ready.put([spoilt(scenes.scene(*shape)) for _ in range(BATCH)])

    threading.Thread(target=compose, daemon=True).start()
    while True:
        yield ready.get()


class Learner:
    """A network in training, and the mean of its weights over the last steps, which is what counts.

    Parameters
    ----------
    weights
        A checkpoint to start from.
    rate
        The highest learning rate.
    frozen
        How many of its first layers stay as they are.
    gains
        Weights of the losses.
    """

    def __init__(self, weights: Path, rate: float, frozen: int, gains: Mapping[str, float]) -> None:
        torch = import_module("torch")
        self._torch, self._rate, self._frozen = torch, rate, frozen
        self._network: Any = load_model(weights)
        self._average = copy.deepcopy(self._network)
        self._network = self._network.to(memory_format=torch.channels_last)
        self._network.args = SimpleNamespace(**gains)
        for number, layer in enumerate(self._network.model):
            for part in layer.parameters():
                part.requires_grad_(number >= frozen)
        # The distribution of distances is read by a fixed convolution.
        for part in self._network.model[-1].dfl.parameters():
            part.requires_grad_(False)  # noqa: FBT003 - torch's own
        self._criterion: Callable[..., Any] = self._network.init_criterion()
        # Scenes are unlike photos: statistics of their own would move the scores on every photo.
        self._norms = [part for part in self._network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        learning = [part for part in self._network.parameters() if part.requires_grad]
        groups = [
            {"params": [part for part in learning if part.ndim > 1], "weight_decay": DECAY},
            {"params": [part for part in learning if part.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))
        self.steps = 0

    def learn(self, scenes: list[Scene], done: float) -> NDArray[np.float64]:
        """Take one step with ``done`` of the time over, 0..1; return its losses: box, class, distances."""
        torch = self._torch
        share = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * share * min(1.0, (self.steps + 1) / WARM_UP_STEPS)
        self._network.train()
        for part in [*self._network.model[: self._frozen], *self._norms]:
            part.eval()
        pixels = np.stack([scene.pixels[..., ::-1] for scene in scenes])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
        with torch.autocast("cpu", torch.bfloat16):
            said = self._network(images.to(memory_format=torch.channels_last))
        losses, parts = self._criterion(_in_float32(said), self._wanted(scenes))
        self._optimizer.zero_grad(set_to_none=True)
        (losses.sum() / BATCH).backward()
        torch.nn.utils.clip_grad_norm_(
            [part for part in self._network.parameters() if part.requires_grad], LARGEST_STEP
        )
        self._optimizer.step()
        self.steps += 1
        self._take_into_average()
        return np.array([float(part) for part in (parts.values() if isinstance(parts, dict) else parts)])

    def _wanted(self, scenes: list[Scene]) -> dict[str, Any]:
        torch = self._torch
        height, width = scenes[0].pixels.shape[:2]
        rows = np.concatenate([np.full(len(scene.boxes), n) for n, scene in enumerate(scenes)])
        corners = np.concatenate([scene.boxes for scene in scenes]) / (width, height, width, height)
        boxes = np.concatenate(
            [(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1
        )
        return {
            "batch_idx": torch.from_numpy(rows).float(),
            "cls": torch.zeros(len(rows), 1),
            "bboxes": torch.from_numpy(boxes).float(),
        }

    def _take_into_average(self) -> None:
        keep = min(AVERAGED, self.steps / (self.steps + 9))
        states = (self._average.state_dict().values(), self._network.state_dict().values())
        for mean, now in zip(*states, strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)

    def save(self, target: Path) -> Path:
        """Write the averaged network as a checkpoint of ultralytics' layout."""
        network = copy.deepcopy(self._average).half().eval()
        network.args = {"task": "detect", "imgsz": 640, "model": "yolov8n", "single_cls": False}
        self._torch.save(
            {"epoch": -1, "model": network, "ema": None, "train_args": {"task": "detect"}}, target
        )
        return target

    def keep(self, target: Path, spent: float) -> None:
        """Write all that going on needs; an interruption leaves the old file or the new one."""
        state = {
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "steps": self.steps,
            "spent": spent,
        }
        beside = target.with_suffix(".tmp")
        self._torch.save(state, beside)
        beside.replace(target)

    def go_on(self, source: Path) -> float:
        """Take up what `keep` wrote; return the seconds that were spent."""
        state = self._torch.load(source, map_location="cpu", weights_only=True)
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]
        return float(state["spent"])


def _in_float32(predictions: Any) -> Any:  # noqa: ANN401 - ultralytics is untyped
    if isinstance(predictions, dict):
        return {key: _in_float32(value) for key, value in predictions.items()}
    if isinstance(predictions, (list, tuple)):
        return [_in_float32(value) for value in predictions]
    return predictions.float()


def finetune(learner: Learner, scenes: Iterator[list[Scene]], minutes: float, run: Path) -> Path:
    """Train until so many minutes are spent, from the run's state if it has one; return the last weights."""
    run.mkdir(parents=True, exist_ok=True)
    spent = learner.go_on(run / STATE) if (run / STATE).exists() else 0.0
    saved = told = spent
    losses: list[NDArray[np.float64]] = []
    before = time.monotonic()
    for batch in scenes:
        done = spent / (minutes * 60)
        if done >= 1:
            break
        losses.append(learner.learn(batch, done))
        now = time.monotonic()
        last, spent, before = done, spent + min(now - before, PAUSE_S), now
        if spent - told > TELL_EVERY_S:
            _tell(run, [round(done, 4), learner.steps, *np.mean(losses, axis=0).round(4)])
            told, losses = spent, []
        if spent - saved > SAVE_EVERY_S:
            learner.keep(run / STATE, spent)
            saved = spent
        if int(spent / (minutes * 60) * SNAPSHOTS) > int(last * SNAPSHOTS):
            learner.save(run / f"at{int(spent / (minutes * 60) * SNAPSHOTS) * 100 // SNAPSHOTS:02}.pt")
    learner.keep(run / STATE, spent)
    return learner.save(run / "last.pt")


def _tell(run: Path, row: list[Any]) -> None:
    with (run / "losses.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(row)
    sys.stdout.write(f"{' '.join(map(str, row))}\n")
    sys.stdout.flush()


def main() -> None:
    """Fine-tune a detector in the background, for as long as it takes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--class", dest="object_class", choices=OBJECT_CLASSES, required=True)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--rate", type=float, default=1e-4, help="the highest learning rate")
    parser.add_argument("--freeze", type=int, default=5, help="first layers that stay as they are")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the training; one more puts scenes together"
    )
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--weights", type=Path, help="start from; the shipped ones when left out")
    parser.add_argument("--name", help="of the run's folder; the class when left out")
    parser.add_argument("--fresh", action="store_true", help="begin anew, whatever is there")
    options = parser.parse_args()
    prepare_runtime()
    torch = import_module("torch")
    torch.set_num_threads(options.threads)
    run = RUNS / (options.name or f"{options.object_class}_scenes")
    state = run / STATE
    if options.fresh:
        state.unlink(missing_ok=True)
    weights = options.weights or MODELS / f"{model_name(options.object_class)}.pt"
    learner = Learner(weights, options.rate, options.freeze, GAINS[options.object_class])
    # Another seed after an interruption: the same scenes would come again.
    seed = options.seed + (int(time.time()) if state.exists() else 0)
    last = finetune(learner, batches(options.object_class, seed), options.minutes, run)
    sys.stdout.write(f"{last} after {learner.steps} steps\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
