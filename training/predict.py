"""Run an exported detector over a folder of photos: letterbox, forward, decode, suppress.

A plain reading of what the product does, kept apart from it so that training/ measures weights and not
the product's inference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from obscura.evaluation import pairwise_iou

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]

STRIDE = 32
PADDING = 114
Forward = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]


@dataclass(frozen=True, slots=True)
class Pass:
    """How one look at a photo is taken.

    Attributes
    ----------
    long_side
        Length in pixels to which the photo's longer side is scaled.
    max_enlargement
        A small photo is scaled up by at most this factor.
    min_confidence
        Boxes of a lower score are dropped.
    max_overlap
        IoU above which the weaker of two boxes is suppressed.
    """

    long_side: int = 640
    max_enlargement: float = 2.0
    min_confidence: float = 0.01
    max_overlap: float = 0.5


def onnx_forward(file: Path) -> Forward:
    """Return the file run by onnxruntime on the CPU."""
    session = import_module("onnxruntime").InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def forward(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(["output0"], {"images": images})[0], dtype=np.float32)

    return forward


def openvino_forward(file: Path, precision: str) -> Forward:
    """Return the file run by OpenVINO on the CPU at ``f32`` or ``bf16``."""
    core = import_module("openvino").Core()
    hint = {"INFERENCE_PRECISION_HINT": precision}
    compiled: Any = core.compile_model(core.read_model(str(file)), "CPU", hint)

    def forward(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(compiled(images)[0], dtype=np.float32)

    return forward


def read_photo(file: Path) -> Pixels:
    """Return a photo as uint8 RGB, ``[height, width, 3]``.

    Raises
    ------
    ValueError
        The file is no picture that OpenCV can read.
    """
    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if pixels is None:
        message = f"cannot read {file}"
        raise ValueError(message)
    return np.ascontiguousarray(pixels[..., ::-1], dtype=np.uint8)


def letterbox(pixels: Pixels, look: Pass) -> tuple[NDArray[np.float32], float]:
    """Scale a photo into a grey frame whose sides are multiples of 32.

    Returns
    -------
    images
        float32 ``[1, 3, height, width]``, RGB 0..1; the photo lies at the top left.
    scale
        Network pixels per photo pixel.
    """
    height, width = pixels.shape[:2]
    scale = min(look.long_side / max(height, width), look.max_enlargement)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    # Averaging keeps small things alive when shrinking; it is worse than linear when enlarging.
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (new_width, new_height), interpolation=interpolation)
    frame = np.full(
        (-(-new_height // STRIDE) * STRIDE, -(-new_width // STRIDE) * STRIDE, 3), PADDING, np.uint8
    )
    frame[:new_height, :new_width] = resized
    return np.ascontiguousarray(frame.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255), scale


def suppress(boxes: Floats, scores: Floats, max_overlap: float) -> NDArray[np.intp]:
    """Return the indices of the boxes to keep, best score first."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        order = rest[pairwise_iou(boxes[best][None], boxes[rest])[0] <= max_overlap]
    return np.array(kept, dtype=np.intp)


def detect(forward: Forward, pixels: Pixels, look: Pass) -> tuple[Floats, Floats]:
    """Return boxes ``[n, 4]`` (corners in the photo's pixels, clipped) and scores ``[n]``, best first."""
    images, scale = letterbox(pixels, look)
    output = forward(images)[0].astype(np.float64)
    scores = output[4:].max(axis=0)
    seen = scores >= look.min_confidence
    centres, sides, scores = output[:2, seen].T, output[2:4, seen].T, scores[seen]
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1) / scale
    kept = suppress(boxes, scores, look.max_overlap)
    height, width = pixels.shape[:2]
    return boxes[kept].clip(0, (width, height, width, height)), scores[kept]
