"""What draws into training photos knows of the labels: where they are, in pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]


class Drawing(ABC):
    """A transform for ultralytics' pipeline that changes pixels and leaves the boxes as they are."""

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
