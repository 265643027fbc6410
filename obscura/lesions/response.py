"""Blob response: Laplacian-of-Gaussian and disc filters normalised by local noise.

A fine spot is matched by the Laplacian of Gaussian. A coarse calcification has a sharp edge and a uniform or
hollow inside, while tissue of that size is smooth. So it is matched as a disc in a whitened picture (the
matched filter of North, 1943, with the Laplacian as whitening filter).
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Final

import cv2
import numpy as np
from cv2.typing import MatLike

from obscura.lesions.breast import Mask, Plane

SIGMAS: Final = (1.0, 1.4, 2.0, 2.8, 4.0)
"""Sigmas of the Laplacian of Gaussian, in pixels of 0.2 mm."""
RADII: Final = (1.8, 2.6, 3.8, 5.5)
"""Radii of the discs in pixels: diameters of 0.7 to 2.2 mm."""
WHITEN: Final = 0.85
"""Sigma of the Laplacian of Gaussian that whitens the spectrum, in pixels."""
RIM: Final = 0.6
"""Sigma of the blur of a disc's edge, in pixels."""
WINDOW: Final = 24.0
"""Sigma of the window in which noise is measured, in pixels."""
PASSES: Final = 2
CLIP: Final = 2.5
"""Values beyond so many deviations are clipped before the second pass of the noise estimate."""
FLOOR: Final = 0.3
"""Added to every deviation, in units of the scaled grey values, to suppress quantisation noise."""
STEP: Final = 4
"""The noise is estimated on every fourth pixel, because it changes slowly."""
SAMPLE: Final = 2
"""Every second value in each direction enters the estimate, because neighbours are correlated."""
LEAST_WEIGHT: Final = 1e-3


def blob_response(grey: Plane, mask: Mask) -> Plane:
    """Return z for every pixel: the blob response in local standard deviations, maximum over all sizes.

    Parameters
    ----------
    grey
        ``float32[height, width]`` at 0.2 mm a pixel, scaled so that the breast covers about 0..255.
    mask
        Area in which the noise is estimated; outside it the result is undefined.
    """
    weights = mask[::SAMPLE, ::SAMPLE].astype(np.float32)
    share = np.maximum(_smooth(weights), LEAST_WEIGHT)
    best = np.full(grey.shape, -np.inf, np.float32)
    for match in chain(_spots(grey), _discs(grey)):
        np.maximum(best, _deviations(match, weights, share), out=best)
    return best


def _deviations(match: Plane, weights: Plane, share: Plane) -> Plane:
    """Convert ``match`` in place to local standard deviations above the local mean, and return it."""
    size = (match.shape[1], match.shape[0])
    mean, deviation = _noise(np.ascontiguousarray(match[::SAMPLE, ::SAMPLE]), weights, share)
    match -= cv2.resize(mean, size, interpolation=cv2.INTER_LINEAR)
    match /= cv2.resize(deviation + np.float32(FLOOR), size, interpolation=cv2.INTER_LINEAR)
    return match


def _spots(grey: Plane) -> Iterator[Plane]:
    """Yield the scale-normalised Laplacian of Gaussian at each of `SIGMAS`."""
    blurred, before = grey, 0.0
    for sigma in SIGMAS:
        # Variances of successive Gaussian blurs add up, so each scale starts from the last.
        step = float(np.sqrt(sigma**2 - before**2))
        blurred = np.asarray(cv2.GaussianBlur(blurred, (0, 0), step), np.float32)
        before = sigma
        yield np.asarray(cv2.Laplacian(blurred, cv2.CV_32F, ksize=1, scale=-(sigma**2)), np.float32)


def _discs(grey: Plane) -> Iterator[Plane]:
    """Yield the whitened picture correlated with a whitened disc of each of `RADII`."""
    # Whitening both picture and disc equals whitening the picture twice.
    blurred = cv2.GaussianBlur(grey, (0, 0), float(np.sqrt(2.0)) * WHITEN)
    white = _laplacian(_laplacian(blurred))
    for radius in RADII:
        yield np.asarray(cv2.filter2D(white, cv2.CV_32F, _template(radius)), np.float32)


@cache
def _template(radius: float) -> Plane:
    """Return a disc, scaled so that white noise keeps its standard deviation."""
    half_side = int(np.ceil(radius + 4.0 * WHITEN + 2.0))
    columns, rows = np.meshgrid(*[np.arange(-half_side, half_side + 1)] * 2)
    disc = np.clip(radius + 0.5 - np.hypot(columns, rows), 0.0, 1.0).astype(np.float32)
    disc = np.asarray(cv2.GaussianBlur(disc, (0, 0), RIM), np.float32)
    white = _laplacian(cv2.GaussianBlur(disc, (0, 0), WHITEN))
    cut = half_side - int(np.ceil(radius + 0.5 + RIM))
    return np.asarray(disc[cut:-cut, cut:-cut] / np.sqrt(np.square(white).sum()), np.float32)


def _laplacian(values: MatLike) -> Plane:
    return np.asarray(cv2.Laplacian(values, cv2.CV_32F, ksize=1), np.float32)


def _noise(values: Plane, weights: Plane, share: Plane) -> tuple[Plane, Plane]:
    """Return local mean and standard deviation on a coarser grid, in two passes with clipping."""
    size = (values.shape[1], values.shape[0])
    clipped = values
    for number in range(PASSES):
        inside = clipped * weights
        mean = _smooth(inside) / share
        deviation = np.sqrt(np.maximum(_smooth(inside * clipped) / share - mean**2, 0.0))
        if number + 1 < PASSES:
            low, high = (
                cv2.resize(mean + side * deviation, size, interpolation=cv2.INTER_LINEAR)
                for side in (-np.float32(CLIP), np.float32(CLIP))
            )
            clipped = np.clip(values, low, high)
    return mean, deviation


def _smooth(values: Plane) -> Plane:
    step = STEP // SAMPLE
    size = (max(1, values.shape[1] // step), max(1, values.shape[0] // step))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), WINDOW / STEP), np.float32)
