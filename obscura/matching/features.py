"""Detect keypoints (AKAZE, SIFT)."""

from typing import Final

import cv2
import numpy as np

from obscura.geometry import Size
from obscura.imaging.pixels import Pixels, Plane
from obscura.matching.model import AKAZE, GRID, SIFT, Features, Keypoints, Kind

ENOUGH_KEYPOINTS: Final = 80
"""AKAZE keypoints that a standard photo needs, as in the legacy system 002."""

_AKAZE_THRESHOLD: Final = 4e-4
_LEAST_SIDE: Final = 32
"""Pictures with a shorter side have no features: some scales of the detectors do not fit."""


def features(pixels: Pixels) -> Features:
    """Return the features of a picture ``uint8[height, width, 3]``, RGB, upright.

    A picture without detail has no keypoints; this is not an error.
    """
    found, akaze = akaze_of(pixels)
    return Features(size_of(pixels), found, akaze, sift_of(pixels))


def enough_detail(found: Features, least: int = ENOUGH_KEYPOINTS) -> bool:
    """Return whether a picture has the keypoints that a standard photo needs."""
    return found.keypoints >= least


def akaze_of(pixels: Pixels) -> tuple[int, Keypoints]:
    """Return the number of AKAZE keypoints of a picture, and the strongest of them."""
    return _found(cv2.AKAZE.create(threshold=_AKAZE_THRESHOLD), pixels, AKAZE)


def sift_of(pixels: Pixels) -> Keypoints:
    """Return the strongest SIFT keypoints of a picture."""
    return _found(cv2.SIFT.create(nfeatures=SIFT.most), pixels, SIFT)[1]


def size_of(pixels: Pixels) -> Size:
    """Return width and height of a picture, in pixels."""
    return Size(pixels.shape[1], pixels.shape[0])


def reduced(size: Size, scale: float) -> Size:
    """Return the size of a picture of ``size`` at ``scale``, in whole pixels."""
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def _found(detector: cv2.Feature2D, pixels: Pixels, kind: Kind) -> tuple[int, Keypoints]:
    """Return the number of keypoints, and the strongest of them."""
    scale = kind.scale(size_of(pixels))
    grey = _grey(pixels, scale)
    if min(grey.shape) < _LEAST_SIDE:
        nothing = np.empty((0, kind.width), np.uint8)
        return 0, Keypoints(np.empty((0, 2), np.float32), nothing, scale)
    found, described = detector.detectAndCompute(grey, None)
    # Sorted, because the detectors' threads return keypoints in any order.
    order = sorted(range(len(found)), key=lambda i: (-found[i].response, found[i].pt, found[i].angle))
    kept = np.array(order[: kind.most], np.intp)
    points = np.array([found[i].pt for i in kept], np.float32).reshape(-1, 2)
    descriptors = np.asarray(described, np.uint8)[kept] if found else np.empty((0, kind.width), np.uint8)
    return len(found), Keypoints((np.rint(points * GRID) / GRID).astype(np.float32), descriptors, scale)


def _grey(pixels: Pixels, scale: float) -> Plane:
    """Return the grey picture at ``scale``; reduced before the conversion to grey, which is faster."""
    small = pixels
    if scale < 1:
        small = np.asarray(cv2.resize(pixels, reduced(size_of(pixels), scale), interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
