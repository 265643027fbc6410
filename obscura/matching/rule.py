"""The decision rule of photo verification."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from obscura.imaging.pixels import Pixels
from obscura.matching.features import akaze_of, reduced, sift_of, size_of
from obscura.matching.geometry import Matrix, epipolar, homography, quad_of
from obscura.matching.matches import Pairs, akaze_pairs, distinct, sift_pairs
from obscura.matching.model import Features, Keypoints

Quad: TypeAlias = NDArray[np.float64]
"""``float64[4, 2]``: x and y of the corners, in pixels."""


class Method(StrEnum):
    """The keypoints and model that decided that two photos show the same thing."""

    AKAZE_HOMOGRAPHY = "akaze_homography"
    AKAZE_FUNDAMENTAL = "akaze_fundamental"
    SIFT_HOMOGRAPHY = "sift_homography"
    SIFT_FUNDAMENTAL = "sift_fundamental"
    NONE = "none"


class Strictness(StrEnum):
    """Strictness of the decision; thresholds in `PROOFS`."""

    LENIENT = "lenient"
    NORMAL = "normal"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Proof:
    """Thresholds of the decision.

    Attributes
    ----------
    plausible_inliers
        Inliers of a homography that is a plausible view of the whole picture; see `quad_of`.
    any_inliers
        Inliers of any other homography: a part of the picture may be seen at an angle that is implausible for
        the whole.
    flat_chance
        Largest `log_chance` of a homography.
    epipolar_inliers
        Inliers of a fundamental matrix.
    epipolar_chance
        Largest `log_chance` of a fundamental matrix; lower, because points on a common edge agree with many.
    """

    plausible_inliers: int
    any_inliers: int
    flat_chance: float
    epipolar_inliers: int
    epipolar_chance: float


FLAT_SHARE: Final = 0.1
"""Smallest share of inliers among the matches of a homography: on brick walls and tiled floors keypoints lie
on a grid and look alike, so a few agree by accident."""

EPIPOLAR_SHARE: Final = 0.25
"""The same for a fundamental matrix, with which more matches agree by accident."""

PROOFS: Final[Mapping[Strictness, Proof]] = MappingProxyType(
    {
        Strictness.LENIENT: Proof(7, 12, -2.0, 16, -6.0),
        Strictness.NORMAL: Proof(8, 15, -3.0, 16, -8.0),
        Strictness.STRICT: Proof(20, 40, -20.0, 40, -20.0),
    }
)


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """The decision and its evidence, in pixels of the whole upright pictures.

    Attributes
    ----------
    same
        Whether both photos show the same thing.
    method
        The deciding method; ``none`` where the photos differ.
    inliers
        Inliers of the deciding model, or of the best homography where the photos differ.
    matches
        Matched keypoints before geometric verification.
    log_chance
        See `obscura.matching.geometry`; infinite for too few inliers.
    homography
        ``float64[3, 3]`` from the standard photo to the new one; None unless a homography decided.
    quad
        The outline of the standard photo in the new one, clockwise from its top-left corner; None unless a
        homography decided and the outline is plausible.
    points
        ``float32[inliers, 4]``: x and y in the standard photo, x and y in the new one.
    """

    same: bool
    method: Method
    inliers: int
    matches: int
    log_chance: float
    homography: Matrix | None
    quad: Quad | None
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _KeypointMethod:
    """One kind of keypoint: functions that return and match its keypoints, and the names of its methods."""

    standard: Callable[[Features], Keypoints]
    photo: Callable[[Pixels | Features], Keypoints]
    pairs: Callable[[Keypoints, Keypoints], Pairs]
    by_homography: Method
    by_fundamental: Method


_KEYPOINT_METHODS: Final = (
    _KeypointMethod(
        lambda found: found.akaze,
        lambda photo: photo.akaze if isinstance(photo, Features) else akaze_of(photo)[1],
        akaze_pairs,
        Method.AKAZE_HOMOGRAPHY,
        Method.AKAZE_FUNDAMENTAL,
    ),
    _KeypointMethod(
        lambda found: found.sift,
        lambda photo: photo.sift if isinstance(photo, Features) else sift_of(photo),
        sift_pairs,
        Method.SIFT_HOMOGRAPHY,
        Method.SIFT_FUNDAMENTAL,
    ),
)


def compare(
    standard: Features, photo: Pixels | Features, strictness: Strictness = Strictness.NORMAL
) -> Comparison:
    """Return whether a photo ``uint8[height, width, 3]`` (RGB, upright) shows what the standard photo shows.

    AKAZE keypoints are compared first, SIFT keypoints only where these do not match, so that they are
    computed only when needed. Deterministic.
    """
    proof = PROOFS[strictness]
    answers: list[Comparison] = []
    for method in _KEYPOINT_METHODS:
        answers.append(_compare_with(method, standard, photo, proof))
        if answers[-1].same:
            return answers[-1]
    return max(answers, key=lambda answer: answer.inliers)


def _compare_with(
    method: _KeypointMethod, standard: Features, photo: Pixels | Features, proof: Proof
) -> Comparison:
    """Return the comparison with one kind of keypoint."""
    old, new = method.standard(standard), method.photo(photo)
    pairs = method.pairs(old, new)
    pairs = pairs[distinct(old.points[pairs[:, 0]], new.points[pairs[:, 1]])]
    source, target = old.points[pairs[:, 0]], new.points[pairs[:, 1]]
    frame = reduced(photo.size if isinstance(photo, Features) else size_of(photo), new.scale)
    flat = homography(source, target, frame)
    quad = None if flat.matrix is None else quad_of(flat.matrix, reduced(standard.size, old.scale))
    needed = proof.any_inliers if quad is None else proof.plausible_inliers
    whole = np.hstack([source / np.float32(old.scale), target / np.float32(new.scale)])
    explained = flat.inliers >= FLAT_SHARE * len(pairs)
    if flat.matrix is not None and explained and flat.proves(needed, proof.flat_chance):
        return Comparison(
            same=True,
            method=method.by_homography,
            inliers=flat.inliers,
            matches=len(pairs),
            log_chance=flat.log_chance,
            homography=np.diag([1, 1, new.scale]) @ flat.matrix @ np.diag([old.scale, old.scale, 1]),
            quad=None if quad is None else quad / new.scale,
            points=whole[flat.agreeing],
        )
    fitted = epipolar(source, target, frame)
    explained = fitted.inliers >= EPIPOLAR_SHARE * len(pairs)
    is_same = explained and fitted.proves(proof.epipolar_inliers, proof.epipolar_chance)
    decided = fitted if is_same else flat
    return Comparison(
        same=is_same,
        method=method.by_fundamental if is_same else Method.NONE,
        inliers=decided.inliers,
        matches=len(pairs),
        log_chance=decided.log_chance,
        homography=None,
        quad=None,
        points=whole[decided.agreeing],
    )
