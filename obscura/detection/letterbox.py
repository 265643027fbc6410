"""Letterbox a picture to the network's input size and map boxes back."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.geometry import Size

__all__ = ["Letterbox", "Offset", "Placing", "Scale", "input_size", "letterbox"]

GREY = 114
"""What YOLOv8 saw around the pictures in training."""

STRIDE = 32
"""YOLOv8's coarsest grid: both sides of an input are multiples of it."""

COARSE_STRIDE = 64
"""Step of inputs longer than `FINE_SIDE`. Engines prepare (and keep) code for every new input shape, so
large inputs, where 64 pixels more cost little, come in few shapes."""

FINE_SIDE = 640


class Scale(NamedTuple):
    """Input pixels per picture pixel, along each axis (rounding to whole pixels makes them differ)."""

    x: float
    y: float


class Offset(NamedTuple):
    """Input pixels of grey to the left of and above the picture."""

    left: int
    top: int


class Placing(NamedTuple):
    """Where a picture lies in an input of ``width`` pixels: ``input = picture * scale + pad``."""

    scale: Scale
    pad: Offset
    width: int

    def to_image_frame(self, boxes_in_input: Floats) -> Floats:
        """Return boxes ``[n, 4]`` given in pixels of the tensor in pixels of the picture (not clipped)."""
        offset = np.array([self.pad.left, self.pad.top] * 2, dtype=np.float32)
        factor = np.array([self.scale.x, self.scale.y] * 2, dtype=np.float32)
        return (boxes_in_input - offset) / factor

    def to_input_frame(self, boxes_in_image: Floats) -> Floats:
        """Return boxes ``[n, 4]`` given in pixels of the picture in pixels of the tensor."""
        offset = np.array([self.pad.left, self.pad.top] * 2, dtype=np.float32)
        factor = np.array([self.scale.x, self.scale.y] * 2, dtype=np.float32)
        return boxes_in_image * factor + offset


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture as the network takes it: ``uint8[height, width, 3]``, RGB, with its place in it."""

    pixels: Pixels
    placing: Placing


def input_size(scaled: Size) -> Size:
    """Return the tensor's size for a picture of size ``scaled``: no smaller, both sides on the grid."""
    step = STRIDE if scaled.long_side <= FINE_SIDE else COARSE_STRIDE
    return Size(-(-scaled.width // step) * step, -(-scaled.height // step) * step)


def letterbox(pixels: Pixels, long_side: int) -> Letterbox:
    """Scale a picture so that its longer side has ``long_side`` pixels, and pad it with grey to the grid.

    Large reductions first halve the picture by exact 2x2 means, which is fast and lets no small face fall
    between the samples of a bilinear reduction; the rest, less than a factor of two, is bilinear.
    """
    target = Size(pixels.shape[1], pixels.shape[0]).scaled_to(long_side)
    scaled, scale = _resize(pixels, target)
    whole = input_size(target)
    pad = Offset((whole.width - target.width) // 2, (whole.height - target.height) // 2)
    rest = Offset(whole.width - target.width - pad.left, whole.height - target.height - pad.top)
    if any((*pad, *rest)):
        edges = (pad.top, rest.top, pad.left, rest.left)
        scaled = np.asarray(
            cv2.copyMakeBorder(scaled, *edges, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY)), dtype=np.uint8
        )
    return Letterbox(scaled, Placing(scale, pad, whole.width))


def _resize(pixels: Pixels, target: Size) -> tuple[Pixels, Scale]:
    halvings = 1
    while min(pixels.shape[0] // (2 * target.height), pixels.shape[1] // (2 * target.width)) >= 1:
        # cv2's fast path takes even sides only; the odd last row or column is a thousandth of the picture.
        even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        half = (even.shape[1] // 2, even.shape[0] // 2)
        pixels = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        halvings *= 2
    height, width = pixels.shape[:2]
    scale = Scale(target.width / (width * halvings), target.height / (height * halvings))
    if (width, height) == (target.width, target.height):
        return pixels, scale
    resized = cv2.resize(pixels, (target.width, target.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8), scale
