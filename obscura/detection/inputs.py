"""Network inputs of a picture, one for each inference slice."""

from typing import TYPE_CHECKING

import numpy as np

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.letterbox import Letterbox, letterbox
from obscura.detection.tiling import Pass
from obscura.geometry import Size

if TYPE_CHECKING:
    from obscura.detection.backends.base import Session

__all__ = ["Inputs"]


class Inputs:
    """The inputs of one picture ``uint8[height, width, 3]``.

    Those of the whole picture are kept: several networks look at it in the same sizes, and reducing 12
    megapixels costs as much as a third of a run. Those of tiles are not: there are many, and few are alike.

    Attributes
    ----------
    pixels
        The picture.
    said
        What networks that several detectors share have said of it, ``[4 + classes, anchors]`` by network and
        pass: who comes second need not ask again.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.said: dict[tuple[Session, Pass], Floats] = {}
        self._kept: dict[int, Letterbox] = {}

    def of(self, item: Pass) -> Letterbox:
        """Return the input of a pass; nobody may write to it."""
        if item.region.size != Size(self.pixels.shape[1], self.pixels.shape[0]):
            return _turned(self._made(item), item)
        if item.long_side not in self._kept:
            self._kept[item.long_side] = self._made(item)
        return _turned(self._kept[item.long_side], item)

    def _made(self, item: Pass) -> Letterbox:
        region = item.region
        return letterbox(self.pixels[region.top : region.bottom, region.left : region.right], item.long_side)


def _turned(frame: Letterbox, item: Pass) -> Letterbox:
    """Return an input left-right reversed where its pass asks for that."""
    if not item.mirrored:
        return frame
    return Letterbox(np.ascontiguousarray(frame.pixels[:, ::-1]), frame.placing)
