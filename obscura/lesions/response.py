"""How much a point stands out: Laplacian of Gaussian over scales, each against the noise around it."""

from typing import Final

import cv2
import numpy as np

from obscura.lesions.breast import Mask, Plane

SIGMAS: Final = (1.0, 1.4, 2.0, 2.8, 4.0)
"""Sizes of spots looked for, in pixels of 0.2 mm."""
WINDOW: Final = 24.0
"""Sigma of the window in which noise is measured, in pixels."""
PASSES: Final = 2
CLIP: Final = 2.5
"""What stands out further than so many deviations is no noise: the second pass takes it back to that."""
FLOOR: Final = 0.3
"""Added to every deviation, in units of the scaled grey values: quantisation is no signal."""
STEP: Final = 4
"""Noise changes slowly: it is measured on every fourth pixel."""
LEAST_WEIGHT: Final = 1e-3


def stand_out(grey: Plane, mask: Mask) -> Plane:
    """Return by how many local deviations each pixel is the centre of a bright spot, at its best scale.

    Parameters
    ----------
    grey
        ``float32[height, width]`` at 0.2 mm a pixel, scaled so that the breast covers about 0..255.
    mask
        Where noise is measured; outside it the answer means nothing.
    """
    weights = mask.astype(np.float32)
    share = np.maximum(_smooth(weights), LEAST_WEIGHT)
    best: Plane | None = None
    blurred, before = grey, 0.0
    for sigma in SIGMAS:
        # A Gaussian of a Gaussian is a wider Gaussian: each scale starts from the last.
        step = float(np.sqrt(sigma**2 - before**2))
        blurred = np.asarray(cv2.GaussianBlur(blurred, (0, 0), step), np.float32)
        before = sigma
        curved = cv2.Laplacian(blurred, cv2.CV_32F, ksize=1, scale=-(sigma**2))
        spots: Plane = np.asarray(curved, np.float32)
        mean, deviation = _noise(spots, weights, share)
        spots -= mean
        spots /= deviation + np.float32(FLOOR)
        best = spots if best is None else np.maximum(best, spots, out=best)
    assert best is not None  # noqa: S101 - SIGMAS is not empty
    return best


def _noise(values: Plane, weights: Plane, share: Plane) -> tuple[Plane, Plane]:
    """Return mean and deviation around every pixel, in two passes."""
    size = (values.shape[1], values.shape[0])
    clipped = values
    mean = deviation = values
    for _ in range(PASSES):
        inside = clipped * weights
        mean_small = _smooth(inside) / share
        square_small = _smooth(inside * clipped) / share
        spread = np.sqrt(np.maximum(square_small - mean_small**2, 0.0))
        mean = np.asarray(cv2.resize(mean_small, size, interpolation=cv2.INTER_LINEAR), np.float32)
        deviation = np.asarray(cv2.resize(spread, size, interpolation=cv2.INTER_LINEAR), np.float32)
        clipped = np.clip(values, mean - CLIP * deviation, mean + CLIP * deviation)
    return mean, deviation


def _smooth(values: Plane) -> Plane:
    size = (max(1, values.shape[1] // STEP), max(1, values.shape[0] // STEP))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), WINDOW / STEP), np.float32)
