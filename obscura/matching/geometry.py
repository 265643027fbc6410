"""Fit homographies and fundamental matrices to matches.

Robust estimation always finds a model that a few points agree with, and the number of accidental inliers
grows with the number of points. So the count of inliers is not enough; `log_chance` is the a-contrario
measure of Moisan and Stival (IJCV 57, 2004): the base-10 logarithm of the number of models with as many
inliers that are expected among unrelated points.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Size

Points: TypeAlias = NDArray[np.float32]
"""``float32[n, 2]``: x and y in pixels."""

Matrix: TypeAlias = NDArray[np.float64]
"""``float64[3, 3]``."""

Array: TypeAlias = NDArray[np.integer[Any] | np.floating[Any]]
"""An array returned by OpenCV."""

TOLERANCE: Final = 3.0
"""Largest error of an inlier, in pixels of the reduced picture."""

_TRIES: Final = 10_000
_CONFIDENCE: Final = 0.999
_HOMOGRAPHY_SAMPLE: Final = 4
_FUNDAMENTAL_SAMPLE: Final = 7
_LEAST_FOR_FUNDAMENTAL: Final = 8

_AREA_RATIO: Final = (0.02, 25.0)
_SIDE_RATIO: Final = 6.0


@dataclass(frozen=True, eq=False, slots=True)
class Agreement:
    """A model and the matches that agree with it.

    Attributes
    ----------
    matrix
        The homography or fundamental matrix, None where there are too few matches for one.
    agreeing
        ``bool[n]``, one per match.
    log_chance
        Base-10 logarithm of the number of such models expected by accident; lower is more certain.
    """

    matrix: Matrix | None
    agreeing: NDArray[np.bool_]
    log_chance: float

    @property
    def inliers(self) -> int:
        """Number of matches that agree."""
        return int(np.count_nonzero(self.agreeing))

    def proves(self, least: int, log_chance: float) -> bool:
        """Return whether at least ``least`` matches agree and `Agreement.log_chance` is low enough."""
        return self.inliers >= least and self.log_chance <= log_chance


def homography(source: Points, target: Points, size: Size) -> Agreement:
    """Return the best homography from ``source`` to ``target``, points of a picture of ``size``.

    Deterministic, because OpenCV's USAC uses the same random seed in every call.
    """
    if len(source) < _HOMOGRAPHY_SAMPLE:
        return _nothing(len(source))
    matrix, mask = cv2.findHomography(
        source, target, cv2.USAC_MAGSAC, TOLERANCE, maxIters=_TRIES, confidence=_CONFIDENCE
    )
    by_accident = min(1.0, math.pi * TOLERANCE**2 / size.pixels)
    return _agreement(matrix, mask, by_accident, _HOMOGRAPHY_SAMPLE)


def epipolar(source: Points, target: Points, size: Size) -> Agreement:
    """Return the best fundamental matrix from ``source`` to ``target``, points of a picture of ``size``."""
    if len(source) < _LEAST_FOR_FUNDAMENTAL:
        return _nothing(len(source))
    matrix, mask = cv2.findFundamentalMat(source, target, cv2.USAC_MAGSAC, TOLERANCE, _CONFIDENCE, _TRIES)
    by_accident = min(1.0, 2 * TOLERANCE * math.hypot(*size) / size.pixels)
    return _agreement(matrix, mask, by_accident, _FUNDAMENTAL_SAMPLE)


def _nothing(count: int) -> Agreement:
    return Agreement(None, np.zeros(count, np.bool_), math.inf)


def _agreement(matrix: Array | None, mask: Array | None, by_accident: float, sample: int) -> Agreement:
    """Return OpenCV's result with its `log_chance`.

    ``matrix`` and ``mask`` are None where it found no model.
    """
    count = 0 if mask is None else len(mask)
    if matrix is None or mask is None or not np.isfinite(np.asarray(matrix, np.float64)).all():
        return _nothing(count)
    agreeing = mask.ravel() > 0
    chance = log_chance(int(agreeing.sum()), count, by_accident, sample)
    return Agreement(np.asarray(matrix, np.float64)[:3], agreeing, chance)


def log_chance(inliers: int, matches: int, by_accident: float, sample: int) -> float:
    """Return the expected number of accidental agreements as a base-10 logarithm.

    Parameters
    ----------
    inliers, matches
        Number of matches that agree with the model, and of all matches.
    by_accident
        Probability that one unrelated match agrees with a given model.
    sample
        Number of matches that determine a model.
    """
    if inliers <= sample:
        return math.inf
    ways = math.log(matches - sample) + _log_choose(matches, inliers) + _log_choose(inliers, sample)
    return (ways + (inliers - sample) * math.log(by_accident)) / math.log(10)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def quad_of(matrix: Matrix, size: Size) -> NDArray[np.float64] | None:
    """Return the corners of a picture of ``size`` under a homography, ``[4, 2]``; None where implausible.

    Plausible: all corners in front of the camera, a convex outline that is not mirrored, its area 0.02 to 25
    times the picture's, opposite sides within a factor of 6.
    """
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    projected = corners @ matrix.T
    depth = projected[:, 2]
    if not ((depth > 0).all() or (depth < 0).all()):
        return None
    quad: NDArray[np.float64] = projected[:, :2] / depth[:, None]
    edges = np.roll(quad, -1, axis=0) - quad
    following = np.roll(edges, -1, axis=0)
    cross_products = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    if not np.isfinite(quad).all() or not (cross_products > 0).all():
        return None
    opposite = np.maximum(lengths[:2] / lengths[2:], lengths[2:] / lengths[:2])
    x, y = quad.T
    area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    fits = _AREA_RATIO[0] <= area / size.pixels <= _AREA_RATIO[1] and opposite.max() <= _SIDE_RATIO
    return quad if fits else None
