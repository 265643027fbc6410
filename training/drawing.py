"""Base of augmentations that draw into training photos: labels, brightness and parts of the scene."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]

Chances = TypeVar("Chances")


class Drawing(ABC, Generic[Chances]):
    """A transform for ultralytics' pipeline that changes pixels and leaves the boxes as they are.

    Parameters
    ----------
    chances
        How often, and how, it draws.
    seed
        Of the transform's own generator, so that a run can be repeated.
    """

    def __init__(self, chances: Chances, seed: int = 0) -> None:
        self._chances = chances
        self._random = np.random.default_rng(seed)

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return ``labels`` with ``img`` (uint8 BGR, ``[height, width, 3]``) drawn into."""
        height, width = labels["img"].shape[:2]
        instances = labels["instances"]
        instances.convert_bbox(format="xyxy")
        instances.denormalize(width, height)
        return {**labels, "img": self.draw(labels["img"], np.asarray(instances.bboxes, np.float64))}

    @abstractmethod
    def draw(self, pixels: Pixels, objects: Floats) -> Pixels:
        """Return a changed copy of uint8 BGR pixels; ``objects`` are corners, ``[n, 4]``, in pixels."""

    def _part_of(self, pixels: Pixels, width: int, height: int) -> Pixels:
        """Return a part of the photo from anywhere in it, of this size, at most the photo's."""
        top = int(self._random.integers(pixels.shape[0] - height + 1))
        left = int(self._random.integers(pixels.shape[1] - width + 1))
        return pixels[top : top + height, left : left + width]


def light_of(pixels: Pixels) -> np.float64:
    """Return the factor of brightness that fits a drawing to the light of this scene."""
    return np.float64(np.clip(pixels.mean() / 110, 0.45, 1.15))
