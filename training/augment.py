"""Photographic damage for training photos: blur, noise, compression and darkness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DamageChances:
    """How often each damage happens, as a share of the photos.

    Grey and JPEG more often since the second round: without colours, and at a quality of 15, faces below 32
    px lost most (model card).
    """

    grey: float = 0.2
    low_light: float = 0.12
    blur: float = 0.15
    motion: float = 0.1
    coarse: float = 0.12
    jpeg: float = 0.35


class PhotographicDamage:
    """A transform for ultralytics' pipeline: changes pixels only, boxes stay.

    Parameters
    ----------
    chances
        How often each damage happens.
    seed
        Of the transform's own generator, so that a run can be repeated.
    """

    def __init__(self, chances: DamageChances, seed: int = 0) -> None:
        self._chances = chances
        self._random = np.random.default_rng(seed)

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return ``labels`` with ``img`` (uint8 BGR, ``[height, width, 3]``) damaged."""
        return {**labels, "img": self.damage(labels["img"])}

    def damage(self, pixels: Pixels) -> Pixels:
        """Return a damaged copy of uint8 BGR pixels, ``[height, width, 3]``."""
        chances = self._chances
        steps = (
            (chances.grey, _grey),
            (chances.low_light, self._low_light),
            (chances.blur, self._blur),
            (chances.motion, self._motion),
            (chances.coarse, self._coarse),
            (chances.jpeg, self._jpeg),
        )
        for chance, step in steps:
            if self._random.random() < chance:
                pixels = step(pixels)
        return np.ascontiguousarray(pixels)

    def _low_light(self, pixels: Pixels) -> Pixels:
        gamma, gain = self._random.uniform(1.3, 2.8), self._random.uniform(0.5, 1.0)
        curve = 255 * gain * (np.arange(256) / 255) ** gamma
        # One field for all three channels: sensors' noise after demosaicing is mostly in the brightness.
        noise = self._random.normal(0, self._random.uniform(2, 10), pixels.shape[:2]).astype(np.float32)
        dark = curve.astype(np.float32)[pixels] + noise[..., None]
        return dark.clip(0, 255).astype(np.uint8)

    def _blur(self, pixels: Pixels) -> Pixels:
        return cv2.GaussianBlur(pixels, (0, 0), self._random.uniform(0.5, 1.6)).astype(np.uint8)

    def _motion(self, pixels: Pixels) -> Pixels:
        length = int(self._random.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        angle = self._random.uniform(0, np.pi)
        for step in np.linspace(-0.5, 0.5, 4 * length):
            row = round((length - 1) * (0.5 + step * np.sin(angle)))
            column = round((length - 1) * (0.5 + step * np.cos(angle)))
            kernel[row, column] = 1
        return cv2.filter2D(pixels, -1, kernel / kernel.sum()).astype(np.uint8)

    def _coarse(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        scale = self._random.uniform(0.4, 0.8)
        small = cv2.resize(
            pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA
        )
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)

    def _jpeg(self, pixels: Pixels) -> Pixels:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(self._random.integers(12, 85))]
        _, encoded = cv2.imencode(".jpg", pixels, quality)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        return np.asarray(decoded, dtype=np.uint8)


def _grey(pixels: Pixels) -> Pixels:
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8)
