"""Match keypoints of two pictures."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.matching.model import Keypoints

Pairs: TypeAlias = NDArray[np.intp]
"""``intp[n, 2]``: positions in the keypoints of the standard photo and of the new one."""

Descriptors: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]
"""One row per keypoint."""

_RATIO: Final = 0.8
"""Ratio test: largest ratio of the distances to the best and second-best match (Lowe, IJCV 60, 2004)."""

_TWO: Final = 2


def akaze_pairs(standard: Keypoints, photo: Keypoints) -> Pairs:
    """Return the pairs of matching AKAZE keypoints, by Hamming distance."""
    return _pairs(standard.descriptors, photo.descriptors, cv2.NORM_HAMMING)


def sift_pairs(standard: Keypoints, photo: Keypoints) -> Pairs:
    """Return the pairs of matching SIFT keypoints, by Euclidean distance."""
    one, other = standard.descriptors.astype(np.float32), photo.descriptors.astype(np.float32)
    return _pairs(one, other, cv2.NORM_L2)


def _pairs(one: Descriptors, other: Descriptors, norm: int) -> Pairs:
    """Return the pairs that pass the ratio test.

    Each keypoint of ``other`` is in at most one, its nearest.
    """
    if not len(one) or len(other) < _TWO:
        return np.empty((0, 2), np.intp)
    best: dict[int, cv2.DMatch] = {}
    for first, second in cv2.BFMatcher(norm).knnMatch(one, other, k=_TWO):
        if first.distance >= _RATIO * second.distance:
            continue
        rival = best.get(first.trainIdx)
        if rival is None or first.distance < rival.distance:
            best[first.trainIdx] = first
    return np.array([(match.queryIdx, match.trainIdx) for match in best.values()], np.intp).reshape(-1, 2)


def distinct(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the indices of matches of which no two begin or end on the same pixel.

    Detectors report one point at several scales and angles, which must count as one inlier.
    """
    kept = np.arange(len(source))
    for points in (source, target):
        kept = kept[np.sort(np.unique(np.rint(points[kept]), axis=0, return_index=True)[1])]
    return kept
