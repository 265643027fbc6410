"""Window glass in front of some labelled faces: a veil of light and the reflection of something else.

The detectors' worst blind spot was people behind windscreens (README, "Photos borrowed from the plates
pack"); the packs hold few of them. Glass adds the light it reflects to the light it lets through, so it is
drawn as ``through * photo + back * reflection``, the reflection being a mirrored part of the photo, blurred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.drawing import Drawing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GlassChances:
    """How often a face lies behind glass, and what the glass does."""

    face: float = 0.06
    through: tuple[float, float] = (0.3, 0.85)
    back: tuple[float, float] = (0.1, 0.5)


class WindowGlass(Drawing[GlassChances]):
    """Lays a pane over some labelled faces; boxes stay."""

    def draw(self, pixels: Pixels, objects: Floats) -> Pixels:
        """Return a copy of uint8 BGR pixels with panes over some of ``objects`` (``[n, 4]``, corners)."""
        before, pixels = pixels, pixels.copy()
        for face in objects:
            if self._random.random() < self._chances.face:
                self._pane(before, pixels, face)
        return pixels

    def _pane(self, before: Pixels, pixels: Pixels, face: Floats) -> None:
        random = self._random
        height, width = pixels.shape[:2]
        centre, size = (face[:2] + face[2:]) / 2, face[2:] - face[:2]
        # A window is larger than the head in it, and the head is rarely in its middle.
        corner = centre - size * random.uniform(0.7, 2.5, 2)
        end = centre + size * random.uniform(0.7, 2.5, 2)
        left, top = (int(v) for v in np.clip(corner, 0, (width, height)))
        right, bottom = (int(v) for v in np.clip(end, 0, (width, height)))
        if right - left < 4 or bottom - top < 4:  # noqa: PLR2004 - nothing of it in the photo
            return
        part = pixels[top:bottom, left:right].astype(np.float32)
        back = self._reflection(before, right - left, bottom - top)
        lit = part * random.uniform(*self._chances.through) + back * random.uniform(*self._chances.back)
        pixels[top:bottom, left:right] = np.clip(lit, 0, 255).astype(np.uint8)

    def _reflection(self, pixels: Pixels, width: int, height: int) -> NDArray[np.float32]:
        """Return another part of the photo as a pane shows it: mirrored, blurred, brighter to one side."""
        random = self._random
        rows = int(min(pixels.shape[0], height * random.uniform(1, 4)))
        columns = int(min(pixels.shape[1], width * random.uniform(1, 4)))
        mirrored = cv2.flip(self._part_of(pixels, columns, rows), int(random.integers(-1, 2)))
        sized = cv2.resize(mirrored, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        blurred = cv2.GaussianBlur(sized, (0, 0), max(0.5, random.uniform(0.01, 0.12) * height))
        down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
        angle = random.uniform(0, 2 * np.pi)
        sky = random.uniform(0, 160) * (0.5 + np.cos(angle) * (right - 0.5) + np.sin(angle) * (down - 0.5))
        return np.asarray(blurred + sky.clip(0)[..., None], np.float32)
