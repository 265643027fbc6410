"""Damage to photos, to measure how many objects are still detected afterwards.

Fixed strengths, unlike :mod:`training.augment`'s, so that figures are reproducible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]

GREY = 114


def blurred(pixels: Pixels) -> Pixels:
    """Return a photo out of focus: a Gaussian of 1.5 pixels."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.5), np.uint8)


def moved(pixels: Pixels) -> Pixels:
    """Return a photo whose camera moved by 7 pixels while it was taken."""
    kernel = np.zeros((7, 7), np.float32)
    kernel[3] = 1 / 7
    return np.asarray(cv2.filter2D(pixels, -1, kernel), np.uint8)


def dark(pixels: Pixels) -> Pixels:
    """Return a photo at night: an eighth of the light in the middle tones, with a sensor's noise."""
    curve = (0.6 * 255 * (np.arange(256) / 255) ** 2.2).astype(np.float32)
    noise = np.random.default_rng(5).normal(0, 6, pixels.shape[:2]).astype(np.float32)
    return (curve[pixels] + noise[..., None]).clip(0, 255).astype(np.uint8)


def squeezed(pixels: Pixels) -> Pixels:
    """Return a photo stored as JPEG of quality 15."""
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 15])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def grey(pixels: Pixels) -> Pixels:
    """Return a photo without its colours."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


DAMAGES: dict[str, Callable[[Pixels], Pixels]] = {
    "none": lambda pixels: pixels,
    "blurred": blurred,
    "moved": moved,
    "dark": dark,
    "jpeg": squeezed,
    "grey": grey,
}
TURNS = {"turned 10": 10.0, "turned 25": 25.0}
"""Degrees, counter-clockwise."""


def turned(pixels: Pixels, degrees: float) -> tuple[Pixels, NDArray[np.float64]]:
    """Return a photo rotated about its centre without cropping, and the map ``[2, 3]`` of its points."""
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    wide, high = round(width * cosine + height * sine), round(width * sine + height * cosine)
    turn[:, 2] += ((wide - width) / 2, (high - height) / 2)
    moved_pixels = cv2.warpAffine(pixels, turn, (wide, high), borderValue=(GREY, GREY, GREY))
    return np.asarray(moved_pixels, np.uint8), np.asarray(turn, np.float64)


def turned_boxes(boxes: Floats, turn: NDArray[np.float64], *, is_round: bool) -> Floats:
    """Return the boxes ``[n, 4]`` around turned objects: ellipses in their boxes, or the boxes themselves."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ turn[:, :2].T + turn[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    matrix = np.abs(turn[:, :2])
    reach = np.sqrt(half**2 @ (matrix**2).T) if is_round else half @ matrix.T
    return np.concatenate([centres - reach, centres + reach], axis=1)
