"""Draw hard negatives (things mistaken for faces or plates) into training photos, away from labelled objects.

The third round of faces drew masks and veils over faces, after which flags, patches and badges were detected
as faces; the strongest false boxes of plates are badges and lettering on cars. So the same photos also show
such things: flags hanging in folds, badges, printed boards, letters without a plate. They are drawn, not
taken from photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.drawing import Drawing, light_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.paths import ObjectClass

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]
    Values = NDArray[np.float32]
    # BGR values, [height, width, 3], and how far they cover what is there, 0 to 1, [height, width].
    Drawn = tuple[Values, Values]

TRIES = 6
FINE = 96
"""Side in pixels at which a decoy is drawn before it is scaled to its place."""
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class DecoyChances:
    """How often and how large; sizes are shares of the photo's shorter side."""

    photo: float = 0.35
    most: int = 3
    flag: float = 0.0
    badge: float = 0.0
    board: float = 0.0
    letters: float = 0.0
    smallest: float = 0.02
    largest: float = 0.45


# A board with letters is what a plate is: only letters without one are none.
DECOYS: dict[ObjectClass, DecoyChances] = {
    "face": DecoyChances(flag=0.5, badge=0.35, board=0.15),
    "plate": DecoyChances(flag=0.1, badge=0.45, letters=0.45),
}


class Decoys(Drawing[DecoyChances]):
    """Draws decoys beside the labelled objects; boxes stay."""

    def draw(self, pixels: Pixels, objects: Floats) -> Pixels:
        """Return a copy of uint8 BGR pixels with decoys beside ``objects`` (``[n, 4]``, corners)."""
        pixels = pixels.copy()
        if self._random.random() < self._chances.photo:
            for _ in range(self._random.integers(1, self._chances.most + 1)):
                self._place(pixels, objects)
        return pixels

    def _place(self, pixels: Pixels, objects: Floats) -> None:
        random, chances = self._random, self._chances
        height, width = pixels.shape[:2]
        # As many small ones as large ones by octave, as faces come.
        side = min(height, width) * np.exp(random.uniform(np.log(chances.smallest), np.log(chances.largest)))
        stretch = random.uniform(0.7, 1.6)
        rows, columns = max(6, round(side * stretch)), max(6, round(side / stretch))
        for _ in range(TRIES):
            # Half outside at most: what is cut off by the border looks least like itself.
            top = int(random.uniform(-0.5 * rows, height - 0.5 * rows))
            left = int(random.uniform(-0.5 * columns, width - 0.5 * columns))
            if not _touches(objects, (left, top, left + columns, top + rows)):
                break
        else:
            return
        drawn, alpha = self._decoy(columns, rows, light_of(pixels))
        ys, xs = slice(max(0, top), min(height, top + rows)), slice(max(0, left), min(width, left + columns))
        inside = np.s_[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left]
        mix = alpha[inside][..., None]
        pixels[ys, xs] = (pixels[ys, xs] * (1 - mix) + drawn[inside] * mix).astype(np.uint8)

    def _decoy(self, width: int, height: int, light: np.float64) -> Drawn:
        """Return BGR values ``[height, width, 3]`` and how far they cover, 0 to 1, ``[height, width]``."""
        random, chances = self._random, self._chances
        weights = np.array([chances.flag, chances.badge, chances.board, chances.letters])
        kinds = (self._flag, self._badge, self._board, self._word)
        cloth, cover = kinds[random.choice(len(kinds), p=weights / weights.sum())]()
        if random.random() < 0.5:  # noqa: PLR2004 - as often on its side as not
            cloth, cover = np.swapaxes(cloth, 0, 1).copy(), cover.T.copy()
        turned = cv2.getRotationMatrix2D((FINE / 2, FINE / 2), random.normal(0, 12), 1)
        whole = (FINE, FINE)
        cloth = np.asarray(cv2.warpAffine(cloth, turned, whole, borderMode=cv2.BORDER_REPLICATE), np.float32)
        cover = np.asarray(cv2.warpAffine(cover, turned, whole), np.float32)
        size = (width, height)
        how = cv2.INTER_AREA if max(size) < FINE else cv2.INTER_LINEAR
        return (
            np.clip(cv2.resize(cloth, size, interpolation=how) * light, 0, 255).astype(np.float32),
            cv2.resize(cover, size, interpolation=how).astype(np.float32),
        )

    def _flag(self) -> Drawn:
        """Return stripes with or without a field in the corner, hanging in folds."""
        random = self._random
        cloth = np.empty((FINE, FINE, 3), np.uint8)
        stripes, colours = int(random.integers(1, 14)), [self._colour() for _ in range(3)]
        edges = np.linspace(0, FINE, stripes + 1).astype(int)
        for number in range(stripes):
            cloth[edges[number] : edges[number + 1]] = colours[number % (2 if stripes > 3 else 3)]  # noqa: PLR2004 - tricolours
        if random.random() < 0.6:  # noqa: PLR2004
            field = (int(FINE * random.uniform(0.3, 0.6)), int(FINE * random.uniform(0.3, 0.6)))
            cloth[: field[0], : field[1]] = self._colour()
            self._marks(cloth[: field[0], : field[1]])
        elif random.random() < 0.6:  # noqa: PLR2004
            self._marks(cloth)
        return self._in_folds(cloth.astype(np.float32))

    def _in_folds(self, cloth: Values) -> Drawn:
        """Bend and shade a cloth as if it hung in folds; return how far it covers as well."""
        random = self._random
        down, right = np.mgrid[0:FINE, 0:FINE].astype(np.float32) / FINE
        angle = random.uniform(-0.6, 0.6)
        along = right * np.cos(angle) + down * np.sin(angle)
        wave = np.sin(2 * np.pi * random.uniform(0.5, 5) * along + random.uniform(0, 6.3))
        depth = random.uniform(0, 0.09)
        shift = (wave * depth * FINE).astype(np.float32)
        ys, xs = down * FINE + shift, right * FINE + shift * random.uniform(0.2, 1.0)
        bent = cv2.remap(cloth, xs.astype(np.float32), ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        over = cv2.remap(np.ones((FINE, FINE), np.float32), xs.astype(np.float32), ys, cv2.INTER_LINEAR)
        light = 1 + random.uniform(0.05, 0.45) * np.cos(
            2 * np.pi * random.uniform(0.5, 5) * along + random.uniform(0, 6.3)
        )
        return (bent * light[..., None]).astype(np.float32), np.asarray(over, np.float32)

    def _badge(self) -> Drawn:
        """Return a disc or a shield with a rim, marks and letters."""
        random = self._random
        badge = np.full((FINE, FINE, 3), self._colour(), np.uint8)
        cover = np.zeros((FINE, FINE), np.float32)
        middle = (FINE // 2, FINE // 2)
        shield = np.array([(6, 8), (90, 8), (88, 52), (48, 92), (8, 52)], np.int32)
        is_round = random.random() < 0.7  # noqa: PLR2004
        self._marks(badge[16:80, 16:80])
        for _ in range(random.integers(0, 3)):
            self._letters(badge, int(random.uniform(30, 80)))
        rim, thick = self._colour().tolist(), int(random.integers(0, 9))
        if is_round:
            cv2.circle(cover, middle, 45, 1.0, -1, cv2.LINE_AA)
            cv2.circle(badge, middle, 45 - thick // 2, rim, thick + 1, cv2.LINE_AA)
        else:
            cv2.fillPoly(cover, [shield], 1.0, cv2.LINE_AA)
            cv2.polylines(
                badge, [shield], isClosed=True, color=rim, thickness=thick + 1, lineType=cv2.LINE_AA
            )
        return badge.astype(np.float32), cover

    def _board(self) -> Drawn:
        """Return a printed board: lines of letters on one colour."""
        board = np.full((FINE, FINE, 3), self._colour(), np.uint8)
        for line in range(int(self._random.integers(1, 5))):
            self._letters(board, 24 + 22 * line)
        return board.astype(np.float32), np.ones((FINE, FINE), np.float32)

    def _word(self) -> Drawn:
        """Return letters with nothing behind them, lit from above as chrome is."""
        letters = np.zeros((FINE, FINE, 3), np.uint8)
        self._letters(letters, 60, (255, 255, 255))
        light = np.linspace(1, self._random.uniform(0.4, 1), FINE, dtype=np.float32)[:, None, None]
        cloth = np.ones((FINE, FINE, 1), np.float32) * self._colour().astype(np.float32) * light
        return cloth.astype(np.float32), (letters[..., 0] / 255).astype(np.float32)

    def _marks(self, part: Pixels) -> None:
        """Draw discs, rings, stars of lines and bars into a part, in its own rows."""
        random = self._random
        height, width = part.shape[:2]
        canvas = np.ascontiguousarray(part)
        size = random.uniform(0.04, 0.3) * min(height, width)
        for _ in range(int(random.integers(1, 3 if size > 0.15 * min(height, width) else 16))):
            x, y = (int(v) for v in random.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height)))
            colour, radius = self._colour().tolist(), max(1, int(size))
            kind = random.integers(4)
            if kind == 0:
                cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA)
            elif kind == 1:
                cv2.circle(canvas, (x, y), radius, colour, max(1, radius // 4), cv2.LINE_AA)
            elif kind == 2:  # noqa: PLR2004
                turns = np.arange(5) * 4 * np.pi / 5 + random.uniform(0, 6.3)
                star = np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], 1)
                cv2.fillPoly(canvas, [star.astype(np.int32)], colour, cv2.LINE_AA)
            else:
                end = (x + int(random.normal(0, 3) * radius), y + int(random.normal(0, 3) * radius))
                cv2.line(canvas, (x, y), end, colour, max(1, radius // 3), cv2.LINE_AA)
        part[:] = canvas

    def _letters(self, part: Pixels, base: int, colour: Sequence[float] = ()) -> None:
        random = self._random
        text = "".join(random.choice(list(LETTERS), int(random.integers(2, 9))))
        scale, thick = random.uniform(0.4, 1.1), int(random.integers(1, 4))
        left = int(random.integers(2, 30))
        colour = colour or self._colour().tolist()
        cv2.putText(part, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)

    def _colour(self) -> Floats:
        """Return a BGR colour: white, black or a strong one more often than a pale one."""
        random = self._random
        kind = random.random()
        if kind < 0.2:  # noqa: PLR2004
            return np.full(3, random.uniform(200, 250))
        if kind < 0.3:  # noqa: PLR2004
            return np.full(3, random.uniform(5, 50))
        hue, strong, bright = random.uniform(0, 180), random.uniform(20, 230), random.uniform(40, 235)
        bgr = cv2.cvtColor(np.array([[[hue, strong, bright]]], np.uint8), cv2.COLOR_HSV2BGR)
        return np.asarray(bgr[0, 0], np.float64)


def _touches(objects: Floats, place: tuple[int, int, int, int]) -> bool:
    if not len(objects):
        return False
    overlap = np.minimum(objects[:, 2:], place[2:]) - np.maximum(objects[:, :2], place[:2])
    return bool((overlap > 0).all(1).any())
