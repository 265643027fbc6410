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
    """What proved that two photos show the same thing."""

    AKAZE_HOMOGRAPHY = "akaze_homography"
    AKAZE_FUNDAMENTAL = "akaze_fundamental"
    SIFT_HOMOGRAPHY = "sift_homography"
    SIFT_FUNDAMENTAL = "sift_fundamental"
    NONE = "none"


class Strictness(StrEnum):
    """How much proof is wanted."""

    LENIENT = "lenient"
    NORMAL = "normal"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is enough.

    Attributes
    ----------
    plausible_inliers
        Matches that agree with a homography which is a real view of the whole picture.
    any_inliers
        The same for any homography: a part of the picture may be seen at an angle the whole cannot.
    flat_chance
        Highest base-10 logarithm of the number of such homographies expected by accident.
    epipolar_inliers
        Matches that agree with a fundamental matrix.
    epipolar_chance
        The same for fundamental matrices; lower, for points on a common edge agree with many of them.
    """

    plausible_inliers: int
    any_inliers: int
    flat_chance: float
    epipolar_inliers: int
    epipolar_chance: float


FLAT_SHARE: Final = 0.1
"""Share of the matches that a homography has to explain: on walls of bricks and floors of tiles points lie on
a grid, hundreds look alike, and a few agree by the grid alone."""

EPIPOLAR_SHARE: Final = 0.25
"""The same for a fundamental matrix, with which more agree by nature."""

PROOFS: Final[Mapping[Strictness, Proof]] = MappingProxyType(
    {
        Strictness.LENIENT: Proof(7, 12, -2.0, 16, -6.0),
        Strictness.NORMAL: Proof(8, 15, -3.0, 16, -8.0),
        Strictness.STRICT: Proof(20, 40, -20.0, 40, -20.0),
    }
)


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """The answer and what it rests on. Pixels are those of the whole upright pictures.

    Attributes
    ----------
    same
        Whether both photos show the same thing.
    method
        What proved it; ``none`` where nothing did.
    inliers
        Matches that agree with the deciding model; where nothing was proved, the most that agreed with one
        homography.
    matches
        Keypoints that look alike, before geometry.
    log_chance
        Base-10 logarithm of the number of such agreements expected by accident; infinite for too few.
    homography
        ``float64[3, 3]`` from the standard photo to the new one; None unless a homography decided.
    quad
        The outline of the standard photo in the new one, clockwise from its top-left corner; None unless a
        homography decided and the outline is a real view.
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
class _Look:
    """One kind of keypoint: how to find it in the new photo, how to match it, what its proofs are called."""

    standard: Callable[[Features], Keypoints]
    photo: Callable[[Pixels | Features], Keypoints]
    pairs: Callable[[Keypoints, Keypoints], Pairs]
    by_homography: Method
    by_fundamental: Method


_LOOKS: Final = (
    _Look(
        lambda found: found.akaze,
        lambda photo: photo.akaze if isinstance(photo, Features) else akaze_of(photo)[1],
        akaze_pairs,
        Method.AKAZE_HOMOGRAPHY,
        Method.AKAZE_FUNDAMENTAL,
    ),
    _Look(
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

    AKAZE looks first; only where it proves nothing is the photo searched for SIFT keypoints: pixels are
    cheaper than features, unless those are known. The same input gives the same answer.
    """
    proof = PROOFS[strictness]
    answers: list[Comparison] = []
    for look in _LOOKS:
        answers.append(_looked(look, standard, photo, proof))
        if answers[-1].same:
            return answers[-1]
    return max(answers, key=lambda answer: answer.inliers)


def _looked(look: _Look, standard: Features, photo: Pixels | Features, proof: Proof) -> Comparison:
    """Return what one kind of keypoint says."""
    old, new = look.standard(standard), look.photo(photo)
    pairs = look.pairs(old, new)
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
            method=look.by_homography,
            inliers=flat.inliers,
            matches=len(pairs),
            log_chance=flat.log_chance,
            homography=np.diag([1, 1, new.scale]) @ flat.matrix @ np.diag([old.scale, old.scale, 1]),
            quad=None if quad is None else quad / new.scale,
            points=whole[flat.agreeing],
        )
    deep = epipolar(source, target, frame)
    explained = deep.inliers >= EPIPOLAR_SHARE * len(pairs)
    is_same = explained and deep.proves(proof.epipolar_inliers, proof.epipolar_chance)
    decided = deep if is_same else flat
    return Comparison(
        same=is_same,
        method=look.by_fundamental if is_same else Method.NONE,
        inliers=decided.inliers,
        matches=len(pairs),
        log_chance=decided.log_chance,
        homography=None,
        quad=None,
        points=whole[decided.agreeing],
    )
