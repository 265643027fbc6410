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
from training.averaged import TELL_EVERY_S, AveragedNetwork, Schedule, timed
from training.coverings import CoveringChances, FaceCoverings
from training.decoys import DECOYS, Decoys
from training.evaluate import labelled_photos
from training.glass import GlassChances, WindowGlass
from training.more_packs import MORE
from training.paths import BUILD, MODELS, OBJECT_CLASSES, RUNS, ObjectClass, model_name
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
MEMORY = 0.99
STATE = "state.pt"
SAVE_EVERY_S = 240
SNAPSHOTS = 10
SHARES = ("cx", "cy", "width", "height")
PACKS = BUILD / "data"


CORRECTIONS = Path(__file__).with_name("corrections")
"""May have ``<class>_mistaken.csv``: what the shipped network took for objects, in photos without any."""


def training_photos(object_class: ObjectClass, mistaken_share: float) -> list[Labelled]:
    """Return all photos that a class trains on.

    Parameters
    ----------
    object_class
        The class.
    mistaken_share
        Share, 0..1, of the photos taken that show what was mistaken for an object.
    """
    photos = [Labelled(*item) for split in ("train", MORE) for item in labelled_photos(object_class, split)]
    table = CORRECTIONS / f"{object_class}_mistaken.csv"
    mistaken = list(mistaken_photos(table)) if table.exists() else []
    weight = mistaken_share / (1 - mistaken_share) * len(photos) / max(1, len(mistaken))
    return photos + [photo._replace(weight=weight) for photo in mistaken]


def mistaken_photos(table: Path) -> Iterator[Labelled]:
    """Yield the photos of a table: path below the unpacked packs, centre and sides of a box as shares."""
    boxes: dict[str, list[list[float]]] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            boxes.setdefault(row["photo"], []).append([float(row[share]) for share in SHARES])
    for name, found in boxes.items():
        yield Labelled(PACKS / name, np.zeros((0, 4)), mistaken=np.array(found))


def batches(object_class: ObjectClass, seed: int, mistaken_share: float) -> Iterator[list[Scene]]:
    """Yield scenes for ever, put together and spoilt in a thread of its own."""
    is_face = object_class == "face"
    scenes = ShotDetector(
        training_photos(object_class, mistaken_share),
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


class Learner(AveragedNetwork):
    """A detector that learns from scenes.

    The statistics of its batch norms stay as they are: scenes are unlike photos, and statistics of their own
    would move the scores on every photo.

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
        network: Any = load_model(weights)
        for number, layer in enumerate(network.model):
            for part in layer.parameters():
                part.requires_grad_(number >= frozen)
        # The distribution of distances is read by a fixed convolution.
        for part in network.model[-1].dfl.parameters():
            part.requires_grad_(False)  # noqa: FBT003 - torch's own
        super().__init__(network, Schedule(rate, LAST_RATE, WARM_UP_STEPS, AVERAGED, MEMORY))
        network.args = SimpleNamespace(**gains)
        self._criterion: Callable[..., Any] = network.init_criterion()
        norm = import_module("torch").nn.BatchNorm2d
        network.train()
        for part in [*network.model[:frozen], *network.modules()]:
            if isinstance(part, norm):
                part.eval()

    def learn(self, scenes: list[Scene], done: float) -> NDArray[np.float64]:
        """Take one step with ``done`` of the time over, 0..1; return its losses: box, class, distances."""
        said = self.forward(np.stack([scene.pixels[..., ::-1] for scene in scenes]))
        losses, parts = self._criterion(in_float32(said), _wanted(scenes))
        self.step(losses.sum() / BATCH, done)
        return np.array([float(part) for part in (parts.values() if isinstance(parts, dict) else parts)])

    def save(self, target: Path) -> Path:
        """Write the averaged network as a checkpoint of ultralytics' layout."""
        network = copy.deepcopy(self.average).half().eval()
        network.args = {"task": "detect", "imgsz": 640, "model": "yolov8n", "single_cls": False}
        import_module("torch").save(
            {"epoch": -1, "model": network, "ema": None, "train_args": {"task": "detect"}}, target
        )
        return target


def _wanted(scenes: list[Scene]) -> dict[str, Any]:
    """Return the labels of scenes as ultralytics' loss takes them."""
    torch = import_module("torch")
    height, width = scenes[0].pixels.shape[:2]
    rows = np.concatenate([np.full(len(scene.boxes), n) for n, scene in enumerate(scenes)])
    corners = np.concatenate([scene.boxes for scene in scenes]) / (width, height, width, height)
    boxes = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    return {
        "batch_idx": torch.from_numpy(rows).float(),
        "cls": torch.zeros(len(rows), 1),
        "bboxes": torch.from_numpy(boxes).float(),
    }


def in_float32(predictions: Any) -> Any:  # noqa: ANN401 - ultralytics is untyped
    """Return a network's output, nested however it is, in float32."""
    if isinstance(predictions, dict):
        return {key: in_float32(value) for key, value in predictions.items()}
    if isinstance(predictions, (list, tuple)):
        return [in_float32(value) for value in predictions]
    return predictions.float()


def finetune(learner: Learner, scenes: Iterator[list[Scene]], minutes: float, run: Path) -> Path:
    """Train until so many minutes are spent, from the run's state if it has one; return the last weights."""
    run.mkdir(parents=True, exist_ok=True)
    spent = learner.go_on(run / STATE) if (run / STATE).exists() else 0.0
    saved = told = spent
    snapshots = int(spent / (minutes * 60) * SNAPSHOTS)
    losses: list[NDArray[np.float64]] = []
    for batch, seconds in timed(scenes, minutes, spent):
        spent = seconds
        done = spent / (minutes * 60)
        losses.append(learner.learn(batch, done))
        if spent - told > TELL_EVERY_S:
            _tell(run, [round(done, 4), learner.steps, *np.mean(losses, axis=0).round(4)])
            told, losses = spent, []
        if spent - saved > SAVE_EVERY_S:
            learner.keep(run / STATE, spent)
            saved = spent
        if int(done * SNAPSHOTS) > snapshots:
            snapshots = int(done * SNAPSHOTS)
            learner.save(run / f"at{snapshots * 100 // SNAPSHOTS:02}.pt")
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
    parser.add_argument(
        "--mistaken", type=float, default=0.25, help="share of photos that show what was taken for an object"
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
    scenes = batches(options.object_class, seed, options.mistaken)
    last = finetune(learner, scenes, options.minutes, run)
    sys.stdout.write(f"{last} after {learner.steps} steps\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
