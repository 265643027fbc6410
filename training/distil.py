"""Distil a network from the outputs of the full detectors, without labels.

Photos are cut, mirrored, combined and damaged; the shipped networks run on each view, and the student
learns their scores and boxes at every anchor (Hinton et al. 2015, "Distilling the Knowledge in a Neural
Network"). One view teaches all classes although no photo is labelled for more than one. The full detectors
run in a thread of their own beside the training.
"""

from __future__ import annotations

import copy
import math
import queue
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from obscura.detection.backends.openvino import open_openvino
from training.augment import DamageChances, PhotographicDamage
from training.averaged import TELL_EVERY_S, AveragedNetwork, Schedule, timed
from training.paths import MODELS, ObjectClass, model_name, pack_folder
from training.predict import PADDING, read_photo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from obscura.detection.arrays import Floats, Pixels

SHAPES = ((640, 640), (480, 640), (640, 480), (416, 640))
"""Heights and widths of views: those of usual photos at 640."""

BATCH = 8
MOSAIC, DAMAGED = 0.5, 0.5
LAST_RATE = 0.01
"""Share of the rate that is left at the end."""

WARM_UP_STEPS = 200
AVERAGED = 0.9985
"""Share of the average of weights that stays at each step."""

BOX_FROM = 0.03
"""Score of a grown network from which its box is worth learning."""

BOX_WEIGHT, DISTANCE_WEIGHT = 2.0, 0.5
STRIDES = (8, 16, 32)
CHECKPOINT_EVERY_S = 600


class Lesson(NamedTuple):
    """A batch of views with the teachers' outputs.

    Attributes
    ----------
    views
        ``uint8[batch, height, width, 3]``, RGB.
    scores
        ``float32[batch, classes, anchors]``, 0..1.
    boxes
        ``float32[batch, anchors, 4]``, corners in pixels of the view: of the surer class.
    """

    views: NDArray[np.uint8]
    scores: Floats
    boxes: Floats


class Views:
    """Random views of photos."""

    def __init__(self, photos: list[Path], seed: int) -> None:
        self._photos = photos
        self._random = np.random.default_rng(seed)
        self._damage = PhotographicDamage(DamageChances(), seed)

    def batch(self) -> NDArray[np.uint8]:
        """Return ``uint8[batch, height, width, 3]``, RGB, of a random shape."""
        height, width = SHAPES[self._random.integers(len(SHAPES))]
        return np.stack([self._view(height, width) for _ in range(BATCH)])

    def _view(self, height: int, width: int) -> Pixels:
        view = np.full((height, width, 3), PADDING, np.uint8)
        if self._random.random() < MOSAIC:
            middle = (
                int(height * self._random.uniform(0.35, 0.65)),
                int(width * self._random.uniform(0.35, 0.65)),
            )
            for rows in (slice(0, middle[0]), slice(middle[0], height)):
                for columns in (slice(0, middle[1]), slice(middle[1], width)):
                    self._fill(view[rows, columns], (0.8, 2.0))
        else:
            self._fill(view, (0.7, 1.4))
        if self._random.random() < 1 / 2:
            view = view[:, ::-1]
        light, red, blue = self._random.uniform(0.65, 1.35, 3) ** np.array([1.0, 0.3, 0.3])
        view = (view * (light * np.array([red, 1.0, blue]))).clip(0, 255).astype(np.uint8)
        if self._random.random() < DAMAGED:
            view = self._damage.damage(np.ascontiguousarray(view[..., ::-1]))[..., ::-1]
        return np.ascontiguousarray(view)

    def _fill(self, place: Pixels, sizes: tuple[float, float]) -> None:
        """Put a random photo into a part of a view, at a scale relative to the one that fits."""
        pixels = read_photo(self._photos[self._random.integers(len(self._photos))])
        fit = min(place.shape[0] / pixels.shape[0], place.shape[1] / pixels.shape[1])
        scale = min(2.0, fit * math.exp(self._random.uniform(*np.log(sizes))))
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        spans = [self._span(place.shape[axis], scaled.shape[axis]) for axis in (0, 1)]
        (to_rows, rows), (to_columns, columns) = spans
        place[to_rows, to_columns] = scaled[rows, columns]

    def _span(self, room: int, length: int) -> tuple[slice, slice]:
        """Return the position of a random part of ``length`` in ``room`` pixels, and which part."""
        shared = min(room, length)
        target, source = (int(self._random.integers(0, whole - shared + 1)) for whole in (room, length))
        return slice(target, target + shared), slice(source, source + shared)


def training_photos(classes: Sequence[ObjectClass]) -> list[Path]:
    """Return the training photos of all ``classes``."""
    return sorted(photo for name in classes for photo in (pack_folder(name) / "images" / "train").iterdir())


def lessons(classes: Sequence[ObjectClass], seed: int) -> Iterator[Lesson]:
    """Yield endless batches with outputs of the networks of ``classes``, computed in another thread."""
    views = Views(training_photos(classes), seed)
    grown = [open_openvino(MODELS / f"{model_name(name)}.onnx", 1, exact=False) for name in classes]
    ready: queue.Queue[Lesson] = queue.Queue(4)

    def teach() -> None:
        cv2.setNumThreads(1)
        while True:
            batch = views.batch()
            said = np.stack([[network.run([view])[0] for network in grown] for view in batch])
            surest = said[:, :, 4].argmax(axis=1)
            boxes = np.take_along_axis(said[:, :, :4], surest[:, None, None], axis=1)[:, 0]
            middles, halves = boxes[:, :2], boxes[:, 2:] / 2
            corners = np.concatenate([middles - halves, middles + halves], axis=1)
            ready.put(Lesson(batch, said[:, :, 4], corners.transpose(0, 2, 1)))

    threading.Thread(target=teach, daemon=True).start()
    while True:
        yield ready.get()


class Losses:
    """Losses of the student's outputs against those of the full detectors."""

    def __init__(self) -> None:
        self._torch = import_module("torch")
        self._iou = import_module("ultralytics.utils.metrics").bbox_iou

    def __call__(self, said: dict[str, Any], lesson: Lesson) -> tuple[Any, Any]:
        """Return the losses of scores and boxes, each per sure object."""
        torch = self._torch
        wanted = torch.from_numpy(lesson.scores)
        logits = said["scores"].float()
        total = wanted.sum().clamp(min=1.0)
        of_scores = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
        sureness = wanted.amax(dim=1)
        seen = sureness > BOX_FROM
        if not seen.any():
            return of_scores / total, logits.sum() * 0
        points, strides = anchors(lesson.views.shape[1:3])
        distances = said["boxes"].float().transpose(1, 2)[seen]
        here = points.expand(len(seen), -1, -1)[seen]
        step = strides.expand(len(seen), -1)[seen][:, None]
        corners = torch.from_numpy(lesson.boxes)[seen]
        boxes = torch.cat([here - distances[:, :2] * step, here + distances[:, 2:] * step], dim=1)
        weight = sureness[seen][:, None]
        overlap = self._iou(boxes, corners, xywh=False, CIoU=True)
        true = torch.cat([here - corners[:, :2], corners[:, 2:] - here], dim=1) / step
        off = (distances - true).abs().mean(dim=1, keepdim=True)
        of_boxes = ((1 - overlap) * BOX_WEIGHT + off * DISTANCE_WEIGHT) * weight
        return of_scores / total, of_boxes.sum() / weight.sum()


def anchors(size: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the middles ``[n, 2]`` and strides ``[n]`` of all anchors for an input's height and width."""
    torch = import_module("torch")
    points, strides = [], []
    for stride in STRIDES:
        rows, columns = (torch.arange(side // stride) * stride + stride / 2 for side in size)
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).reshape(-1, 2)
        points.append(grid)
        strides.append(torch.full((len(grid),), float(stride)))
    return torch.cat(points), torch.cat(strides)


class Student:
    """A network that learns from the outputs of others.

    Parameters
    ----------
    network
        A YOLOv8 of ultralytics' whose head regresses distances directly.
    rate
        The highest learning rate.
    """

    def __init__(self, network: Any, rate: float) -> None:  # noqa: ANN401 - untyped
        self._learning = AveragedNetwork(network, Schedule(rate, LAST_RATE, WARM_UP_STEPS, AVERAGED))
        self._learning.network.train()
        self._losses = Losses()

    def learn(self, lesson: Lesson, done: float) -> NDArray[np.float64]:
        """Take one step with ``done`` of the time over, 0..1; return the losses of scores and boxes."""
        of_scores, of_boxes = self._losses(self._learning.forward(lesson.views), lesson)
        self._learning.step(of_scores + of_boxes, done)
        return np.array([of_scores.item(), of_boxes.item()])

    def save(self, target: Path) -> Path:
        """Write the averaged network as a checkpoint."""
        network = copy.deepcopy(self._learning.average).float().eval()
        import_module("torch").save({"model": network, "ema": None}, target)
        return target


def distil(student: Student, taught: Iterator[Lesson], minutes: float, run: Path) -> Path:
    """Train for so many minutes; return the last checkpoint, beside which earlier ones lie."""
    run.mkdir(parents=True, exist_ok=True)
    saved = told = 0.0
    losses: list[NDArray[np.float64]] = []
    for lesson, spent in timed(taught, minutes):
        done = spent / (minutes * 60)
        losses.append(student.learn(lesson, done))
        if spent - told > TELL_EVERY_S:
            row = (done, *np.mean(losses, axis=0))
            sys.stdout.write(f"{' '.join(f'{value:.4f}' for value in row)} of {len(losses)} steps\n")
            sys.stdout.flush()
            told, losses = spent, []
        if spent - saved > CHECKPOINT_EVERY_S:
            student.save(run / f"at{round(done * 100):02d}.pt")
            saved = spent
    return student.save(run / "last.pt")
