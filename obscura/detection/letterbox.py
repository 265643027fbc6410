"""Letterbox a picture to the network's input size and map boxes back."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.geometry import Size

__all__ = ["Letterbox", "Offset", "Placing", "Scale", "input_size", "letterbox"]

GREY = 114
"""Grey level of the padding, as in YOLOv8's training."""

STRIDE = 32
"""Largest stride of YOLOv8: both sides of an input are multiples of it."""

COARSE_STRIDE = 64
"""Sides of inputs longer than `FINE_SIDE` are multiples of it. Engines compile and keep code for every new
input shape, so large inputs, where 64 pixels more cost little, have few shapes."""

FINE_SIDE = 640


class Scale(NamedTuple):
    """Input pixels per picture pixel, along each axis (rounding to whole pixels makes them differ)."""

    x: float
    y: float


class Offset(NamedTuple):
    """Padding in input pixels to the left of and above the picture."""

    left: int
    top: int


class Placing(NamedTuple):
    """Position of a picture in an input: ``input = picture * scale + pad``."""

    scale: Scale
    pad: Offset

    def to_image_frame(self, boxes_in_input: Floats) -> Floats:
        """Return boxes ``[n, 4]`` in input pixels as boxes in pixels of the picture (not clipped)."""
        offset = np.array([self.pad.left, self.pad.top] * 2, dtype=np.float32)
        factor = np.array([self.scale.x, self.scale.y] * 2, dtype=np.float32)
        return (boxes_in_input - offset) / factor


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A network input ``uint8[height, width, 3]``, RGB, with the picture's position in it."""

    pixels: Pixels
    placing: Placing


def input_size(scaled: Size) -> Size:
    """Return the input size for a picture of size ``scaled``: the next multiples of the stride."""
    step = STRIDE if scaled.long_side <= FINE_SIDE else COARSE_STRIDE
    return Size(-(-scaled.width // step) * step, -(-scaled.height // step) * step)


def letterbox(pixels: Pixels, long_side: int, *, square: bool = False) -> Letterbox:
    """Scale a picture so that its longer side has ``long_side`` pixels, and pad it with grey.

    The input is the smallest on the grid (`input_size`), or the smallest square.
    Large reductions first halve the picture by 2x2 means, which is fast and avoids the aliasing of bilinear
    interpolation that loses small faces; the rest, less than a factor of two, is bilinear.
    """
    target = Size(pixels.shape[1], pixels.shape[0]).scaled_to(long_side)
    scaled, scale = _resize(pixels, target)
    whole = input_size(Size(target.long_side, target.long_side) if square else target)
    pad = Offset((whole.width - target.width) // 2, (whole.height - target.height) // 2)
    rest = Offset(whole.width - target.width - pad.left, whole.height - target.height - pad.top)
    if any((*pad, *rest)):
        edges = (pad.top, rest.top, pad.left, rest.left)
        scaled = np.asarray(
            cv2.copyMakeBorder(scaled, *edges, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY)), dtype=np.uint8
        )
    return Letterbox(scaled, Placing(scale, pad))


def _resize(pixels: Pixels, target: Size) -> tuple[Pixels, Scale]:
    halvings = 1
    while min(pixels.shape[0] // (2 * target.height), pixels.shape[1] // (2 * target.width)) >= 1:
        # cv2's fast path takes even sides only; the odd last row or column is dropped.
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
