"""Network inputs of a picture, one for each inference slice."""

from typing import TYPE_CHECKING

import numpy as np

from obscura.detection.arrays import Pixels
from obscura.detection.letterbox import Letterbox, letterbox
from obscura.detection.tiling import InferenceSlice
from obscura.geometry import Size

if TYPE_CHECKING:
    from obscura.detection.backends.base import Session
    from obscura.detection.output_cache import RawOutput

__all__ = ["Inputs"]


class Inputs:
    """The network inputs of one picture ``uint8[height, width, 3]``.

    Inputs of the whole picture are cached: several networks use the same sizes, and reducing 12 megapixels
    costs a third of an inference. Inputs of tiles are not: there are many, and few are used twice.

    Attributes
    ----------
    pixels
        The picture.
    quarter_turns
        How often networks see every input turned by 90 degrees, counter-clockwise. Slices, positions and
        boxes stay those of the picture as it is.
    shared_outputs
        Raw outputs ``[4 + classes, anchors]`` of networks that several detectors share, by network and slice.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.quarter_turns = 0
        self.shared_outputs: dict[tuple[Session, InferenceSlice], RawOutput] = {}
        self._kept: dict[tuple[int, bool], Letterbox] = {}
        self._others: dict[int, Inputs] = {}

    def turned(self, quarter_turns: int) -> "Inputs":
        """Return the inputs of the picture as seen after 1 to 3 quarter turns, the same object every time."""
        if quarter_turns not in self._others:
            other = Inputs(self.pixels)
            other.quarter_turns = quarter_turns
            other._kept = self._kept
            self._others[quarter_turns] = other
        return self._others[quarter_turns]

    def of(self, item: InferenceSlice) -> Letterbox:
        """Return the input of a slice, and its region's position in it before it was turned and mirrored.

        It must not be changed.
        """
        frame = self._upright(item)
        pixels = np.rot90(frame.pixels, self.quarter_turns) if self.quarter_turns else frame.pixels
        pixels = pixels[:, ::-1] if item.mirrored else pixels
        return Letterbox(np.ascontiguousarray(pixels), frame.placing)

    def _upright(self, item: InferenceSlice) -> Letterbox:
        if item.region.size != Size(self.pixels.shape[1], self.pixels.shape[0]):
            return self._made(item)
        key = item.long_side, item.is_square
        if key not in self._kept:
            self._kept[key] = self._made(item)
        return self._kept[key]

    def _made(self, item: InferenceSlice) -> Letterbox:
        region = item.region
        part = self.pixels[region.top : region.bottom, region.left : region.right]
        return letterbox(part, item.long_side, square=item.is_square)
