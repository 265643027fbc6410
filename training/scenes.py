"""Labelled scenes put together from photos, with small and turned objects sampled most.

A scene is one photo or several, laid side by side. Of each photo an object is chosen and brought to a
size drawn anew: mostly 8 to 40 input pixels, which is what far faces and plates have in a pass of the
product (sample redistribution: Guo et al., "Sample and Computation Redistribution for Efficient Face
Detection", ICLR 2022). Photos are chosen by photo, never by box, with a weight for each source. What is
cut at a scene's inner edges, or becomes too small to be learnt, is painted grey: it counts neither way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from obscura.evaluation.matching import areas
from training.damage import turned_boxes
from training.predict import PADDING, read_photo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]

SHAPES = ((512, 640), (640, 512), (576, 576))
"""Heights and widths of scenes: a step costs what one of 576 pixels costs."""

GREY_MARGIN = 0.12
LEAST_VISIBLE, LEAST_SEEN = 0.45, 0.08
"""Share of an object inside the photo's place from which it is a label, and from which it is painted over."""

LEAST_SIDE = 5.0
"""Shorter side in scene pixels below which an object is painted over."""

LEAST_PLACE, LEAST_LONG = 48, 128
"""Side of a place in scene pixels below which it stays grey; longer side to which photos shrink at most."""

USUAL_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class SceneChances:
    """How scenes are put together.

    Attributes
    ----------
    four
        Share of scenes that begin as four places; one place, and what a small photo leaves free, otherwise.
    small, usual, large
        Ranges in scene pixels of the longer side of the object chosen, and ...
    shares
        ... how often each range is taken.
    turned, quarters
        Share of photos turned by any angle, and by 90, 180 or 270 degrees.
    tilt
        Degrees by which every other photo is turned at most.
    most_enlarged
        Photos are enlarged by at most this factor; `close` of them by up to 4, as in a closer look.
    """

    four: float = 0.3
    small: tuple[float, float] = (8.0, 32.0)
    usual: tuple[float, float] = (24.0, 90.0)
    large: tuple[float, float] = (80.0, 320.0)
    shares: tuple[float, float, float] = (0.6, 0.3, 0.1)
    turned: float = 0.18
    quarters: float = 0.1
    tilt: float = 12.0
    most_enlarged: float = 2.0
    close: float = 0.12


class Labelled(NamedTuple):
    """A photo and its labels.

    Attributes
    ----------
    file
        The photo.
    shares
        ``[n, 4]``: centre and sides of its labels as shares of it.
    sureness
        ``[n]``: how sure each label is, 0..1; all are when left out.
    weight
        How often it is taken, against 1 for others.
    mistaken
        ``[n, 4]``: things in a photo without labels that were detected as objects; a scene shows one of them
        as it would show an object.
    """

    file: Path
    shares: Floats
    sureness: Floats | None = None
    weight: float = 1.0
    mistaken: Floats | None = None


class Scene(NamedTuple):
    """uint8 BGR pixels ``[height, width, 3]``; the labels' corners, ``[n, 4]``, and how sure they are."""

    pixels: Pixels
    boxes: Floats
    sureness: Floats


class ShotDetector:
    """Random scenes.

    Parameters
    ----------
    photos
        What there is.
    weights
        How often a photo is taken by the beginning of its name, against 1 for all others.
    chances
        How scenes are put together.
    is_round
        Whether turned objects are ellipses in their boxes or the boxes themselves.
    seed
        Of its own generator.
    """

    def __init__(
        self,
        photos: Sequence[Labelled],
        weights: Mapping[str, float],
        chances: SceneChances,
        seed: int,
        *,
        is_round: bool,
    ) -> None:
        self._photos, self._chances, self._is_round = photos, chances, is_round
        self._random = np.random.default_rng(seed)
        shares = np.array([_weight(photo, weights) for photo in photos])
        self._shares = shares / shares.sum()

    def scene(self, height: int, width: int) -> Scene:
        """Return a scene of this size."""
        pixels = np.full((height, width, 3), PADDING, np.uint8)
        rows, columns = [0, height], [0, width]
        if self._random.random() < self._chances.four:
            row, column = (int(side * self._random.uniform(0.3, 0.7)) for side in (height, width))
            rows, columns = [0, row, height], [0, column, width]
        places = [
            (left, top, right, bottom) for top, bottom in pairwise(rows) for left, right in pairwise(columns)
        ]
        found, sureness = [np.zeros((0, 4))], [np.zeros(0)]
        while places:
            left, top, right, bottom = places.pop()
            boxes, sure, used = self._fill(pixels[top:bottom, left:right])
            found.append(boxes + np.array([left, top, left, top]))
            sureness.append(sure)
            # What a small photo leaves free of its place is filled as well.
            free = [(left + used[0], top, right, top + used[1]), (left, top + used[1], right, bottom)]
            places += [
                place for place in free if min(place[2] - place[0], place[3] - place[1]) >= LEAST_PLACE
            ]
        return Scene(pixels, np.concatenate(found), np.concatenate(sureness))

    def _fill(self, place: Pixels) -> tuple[Floats, Floats, tuple[int, int]]:
        """Put a random photo into ``place``; return labels, their sureness, and what room it took."""
        photo = self._photos[self._random.choice(len(self._photos), p=self._shares)]
        pixels = read_photo(photo.file)[..., ::-1]
        size = np.array([pixels.shape[1], pixels.shape[0]], np.float64)
        boxes = _corners(photo.shares, size)
        sureness = np.ones(len(boxes)) if photo.sureness is None else photo.sureness
        if photo.mistaken is None:
            turn, centre = self._turn(size, boxes, sureness, place)
        else:
            turn, centre = self._turn(
                size, _corners(photo.mistaken, size), np.ones(len(photo.mistaken)), place
            )
        extent = np.ceil(np.abs(turn) @ size).astype(int)
        used = (min(place.shape[1], int(extent[0])), min(place.shape[0], int(extent[1])))
        place = place[: used[1], : used[0]]
        matrix = self._placing(size, centre, turn, np.array(used, np.float64))
        shown, moving = _reduced(pixels, matrix)
        canvas = cv2.warpAffine(shown, moving, used, flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3)
        moved = turned_boxes(boxes, matrix, is_round=self._is_round)
        if self._random.random() < 1 / 2:
            canvas = canvas[:, ::-1]
            moved[:, [0, 2]] = used[0] - moved[:, [2, 0]]
        place[:] = canvas
        boxes, learnt = _kept(place, moved)
        return boxes, sureness[learnt], used

    def _turn(self, size: Floats, boxes: Floats, sureness: Floats, place: Pixels) -> tuple[Floats, Floats]:
        """Return how a photo is scaled and turned, ``[2, 2]``, and the point of it that is to be seen.

        That is the middle of one of ``boxes``, the surer the likelier; without boxes any point.
        """
        chances, random = self._chances, self._random
        fit = float((np.array([place.shape[1], place.shape[0]]) / size).min())
        if len(boxes):
            box = boxes[random.choice(len(boxes), p=sureness / sureness.sum())]
            ranges = (chances.small, chances.usual, chances.large)
            low, high = ranges[random.choice(len(ranges), p=chances.shares)]
            wanted = math.exp(random.uniform(math.log(low), math.log(high)))
            most = 4.0 if random.random() < chances.close else chances.most_enlarged
            least = LEAST_LONG / float(size.max())
            scale = min(most, max(wanted / float((box[2:] - box[:2]).max()), least))
            centre = (box[:2] + box[2:]) / 2
        else:
            scale = min(chances.most_enlarged, fit * math.exp(random.uniform(-0.3, 0.9)))
            centre = size * random.uniform(0.2, 0.8, 2)
        angle = math.radians(self._angle())
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        return turn * scale, centre

    def _placing(self, size: Floats, centre: Floats, turn: Floats, room: Floats) -> Floats:
        """Return the map ``[2, 3]`` that shows ``centre`` anywhere in its place, and as much as can be."""
        spread = np.abs(turn) @ size / 2
        middle = turn @ (size / 2 - centre) + room * self._random.uniform(0.15, 0.85, 2)
        slack = np.abs(spread - room / 2)
        middle = middle.clip(room / 2 - slack, room / 2 + slack)
        return np.concatenate([turn, (middle - turn @ (size / 2))[:, None]], axis=1)

    def _angle(self) -> float:
        drawn = self._random.random()
        if drawn < self._chances.turned:
            return float(self._random.uniform(-180, 180))
        tilt = float(self._random.uniform(-1, 1)) * self._chances.tilt
        if drawn < self._chances.turned + self._chances.quarters:
            return 90.0 * int(self._random.integers(1, 4)) + tilt / 4
        return tilt


def _corners(shares: Floats, size: Floats) -> Floats:
    """Return the corners, ``[n, 4]``, of boxes given by centre and sides as shares of a photo."""
    middles, halves = shares[:, :2] * size, shares[:, 2:] * size / 2
    return np.concatenate([middles - halves, middles + halves], axis=1)


def _weight(photo: Labelled, weights: Mapping[str, float]) -> float:
    of_source = (weight for prefix, weight in weights.items() if photo.file.name.startswith(prefix))
    return photo.weight * next(of_source, USUAL_WEIGHT)


def _reduced(pixels: Pixels, matrix: Floats) -> tuple[Pixels, Floats]:
    """Average a photo down by halves first: linear sampling alone would skip most of its pixels."""
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if scale > 0.7:  # noqa: PLR2004 - hardly anything is skipped
        return np.ascontiguousarray(pixels), matrix
    share = max(scale, 1 / 8)
    height, width = pixels.shape[:2]
    small = (max(1, round(width * share)), max(1, round(height * share)))
    shown = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
    factors = np.array([width / small[0], height / small[1]])
    return shown, np.concatenate([matrix[:, :2] * factors, matrix[:, 2:]], axis=1)


def _kept(place: Pixels, boxes: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the labels that can be learnt, inside their place, and which they are; paint the others over."""
    room = np.array([place.shape[1], place.shape[0]], np.float64)
    inside = np.concatenate([boxes[:, :2].clip(0, room), boxes[:, 2:].clip(0, room)], axis=1)
    visible = areas(inside) / areas(boxes).clip(1e-6)
    learnt = (visible >= LEAST_VISIBLE) & (
        (inside[:, 2:] - inside[:, :2]).min(axis=1, initial=np.inf) >= LEAST_SIDE
    )
    for left, top, right, bottom in inside[~learnt & (visible > LEAST_SEEN)]:
        margin = ((right - left) * GREY_MARGIN, (bottom - top) * GREY_MARGIN)
        first = (math.floor(left - margin[0]), math.floor(top - margin[1]))
        last = (math.ceil(right + margin[0]), math.ceil(bottom + margin[1]))
        cv2.rectangle(place, first, last, (PADDING,) * 3, -1)
    return inside[learnt], learnt
