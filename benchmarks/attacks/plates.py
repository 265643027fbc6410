"""Known-grid attack on plates: recover the digits from everything but the digits.

The attacker knows font, size, place, colours, style and grid. What he sees is then, but for rounding and
noise, a sum of one known contribution per place and digit, so that the distance of *every* candidate text can
be computed exactly, and the nearest one is taken: no attack on single digits does better.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.attacks.methods import (
    CLASSIC_CELL,
    SEED_KERNEL,
    SEED_SIGMA,
    AreaMosaic,
    Hide,
    cell_means,
    nothing,
    ours,
    seed_gaussian,
)
from obscura.geometry import Box, Size
from obscura.redaction.masks import window
from obscura.redaction.regions import PLATE_GROW, grown
from obscura.redaction.styles import DEFAULT_CELLS, Fill, Mosaic, Solid

Plane: TypeAlias = NDArray[np.float32]
See: TypeAlias = Callable[[Plane], Plane]

DIGITS: Final = 10
PLACES: Final = 5
PICTURE: Final = Size(360, 120)
PLATE: Final = Box(60, 35, 300, 85)
FONT_SIZE: Final = 44
SLOT: Final = 44
SENSOR_NOISE: Final = 2.0
"""Standard deviation, in levels, of what a camera adds to every pixel."""


@dataclass(frozen=True)
class PlateMethod:
    """A redaction method, and what the attacker measures in a picture redacted by it.

    Attributes
    ----------
    hide
        What is done to the picture.
    model
        The same without rounding or noise, on ``float32[height, width]``: from a picture that is not hidden
        to what the attacker expects to read.
    read
        From a redacted picture to what the attacker reads.
    """

    hide: Hide
    model: See
    read: See


def plate(digits: NDArray[np.int64] | None) -> Plane:
    """Return a picture of a car's plate with ``digits``; with an empty plate where None."""
    picture = Image.new("L", PICTURE, 70)
    draw = ImageDraw.Draw(picture)
    draw.rectangle(tuple(PLATE), fill=235)
    font = ImageFont.load_default(FONT_SIZE)
    for place, digit in enumerate(() if digits is None else digits.tolist()):
        if digit >= 0:
            centre = (PLATE.x1 + 32 + place * SLOT, (PLATE.y1 + PLATE.y2) / 2)
            draw.text(centre, str(digit), fill=20, font=font, anchor="mm")
    return np.asarray(picture, np.float32)


def _cells(box: Box, side: int) -> See:
    inside = window(box, PICTURE).slices
    return lambda picture: cell_means(picture[inside], side)


def _blurred(picture: Plane) -> Plane:
    inside = window(PLATE, PICTURE).slices
    return _thinned(cv2.GaussianBlur(picture[inside], SEED_KERNEL, SEED_SIGMA))


def _thinned(picture: NDArray[np.generic]) -> Plane:
    return np.asarray(picture[::2, ::2], np.float32)


def _plate_only(picture: Plane) -> Plane:
    return _thinned(picture[window(PLATE, PICTURE).slices])


def _mosaic(side: int, box: Box, hide: Hide) -> PlateMethod:
    return PlateMethod(hide, _cells(box, side), _cells(box, side))


WHOLE: Final = grown(PLATE)
OUR_SIDE: Final = -int(-WHOLE.long_side // DEFAULT_CELLS)
UNHIDDEN: Final = "nothing hidden"
SOLID: Final = "ours: solid"
FILL: Final = "ours, plates: filled from around"
PLATE_METHODS: Final[Mapping[str, PlateMethod]] = {
    UNHIDDEN: PlateMethod(nothing, _plate_only, _plate_only),
    "legacy: Gaussian (99, 99), 30": PlateMethod(seed_gaussian, _blurred, _plate_only),
    f"classic mosaic, {CLASSIC_CELL} px": _mosaic(CLASSIC_CELL, PLATE, AreaMosaic(is_grown=False)),
    "classic mosaic, 20 px": _mosaic(20, PLATE, AreaMosaic(is_grown=False, side=20)),
    "our mosaic, refused for plates": _mosaic(OUR_SIDE, WHOLE, ours(Mosaic())),
    SOLID: _mosaic(10_000, WHOLE, ours(Solid())),
    FILL: _mosaic(10_000, grown(PLATE, PLATE_GROW), ours(Fill())),
    "what if: solid, noise 12": _mosaic(10_000, WHOLE, AreaMosaic(1, noise=12)),
}


class DigitAttack:
    """An attacker who has prepared for one redaction method."""

    def __init__(self, method: PlateMethod) -> None:
        self._method = method
        self._empty = method.model(plate(None)).ravel().astype(np.float64)
        parts = np.array(
            [[self._part(place, digit) for digit in range(DIGITS)] for place in range(PLACES)], np.float64
        )
        self._parts = parts
        # |seen - sum of parts|^2 without |seen|^2: own lengths, and every pair once.
        lengths = (parts**2).sum(axis=-1)
        table = np.zeros((DIGITS,) * PLACES)
        for place in range(PLACES):
            table += _along(lengths[place], (place,))
        for one, other in combinations(range(PLACES), 2):
            table += _along(2 * parts[one] @ parts[other].T, (one, other))
        self._table = table

    def _part(self, place: int, digit: int) -> NDArray[np.float64]:
        digits = np.full(PLACES, -1)
        digits[place] = digit
        return self._method.model(plate(digits)).ravel().astype(np.float64) - self._empty

    def guess(self, redacted: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the digits whose picture lies nearest to a redacted one."""
        seen = self._method.read(redacted[..., 0].astype(np.float32)).ravel() - self._empty
        distances = self._table.copy()
        for place in range(PLACES):
            distances -= _along(2 * self._parts[place] @ seen, (place,))
        return np.array(np.unravel_index(int(distances.argmin()), distances.shape))


def _along(values: NDArray[np.float64], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Return values of one or two places, shaped to be added to the table of all texts."""
    shape = [1] * PLACES
    for axis in axes:
        shape[axis] = DIGITS
    return values.reshape(shape)


def digit_accuracy(method: PlateMethod, count: int, rng: np.random.Generator) -> float:
    """Return the share of digits, 0..1, that the attack reads right on ``count`` random plates."""
    attack = DigitAttack(method)
    right = 0
    for _ in range(count):
        digits = rng.integers(0, DIGITS, PLACES)
        grey = plate(digits) + rng.normal(0, SENSOR_NOISE, (PICTURE.height, PICTURE.width))
        photo = np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        right += int((attack.guess(method.hide(photo, PLATE)) == digits).sum())
    return right / (count * PLACES)
