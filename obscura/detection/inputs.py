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
    shared_outputs
        Raw outputs ``[4 + classes, anchors]`` of networks that several detectors share, by network and slice.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.shared_outputs: dict[tuple[Session, InferenceSlice], RawOutput] = {}
        self._kept: dict[int, Letterbox] = {}

    def of(self, item: InferenceSlice) -> Letterbox:
        """Return the input of a slice; it must not be changed."""
        if item.region.size != Size(self.pixels.shape[1], self.pixels.shape[0]):
            return _turned(self._made(item), item)
        if item.long_side not in self._kept:
            self._kept[item.long_side] = self._made(item)
        return _turned(self._kept[item.long_side], item)

    def _made(self, item: InferenceSlice) -> Letterbox:
        region = item.region
        return letterbox(self.pixels[region.top : region.bottom, region.left : region.right], item.long_side)


def _turned(frame: Letterbox, item: InferenceSlice) -> Letterbox:
    """Return an input, left-right reversed where its slice is mirrored."""
    if not item.mirrored:
        return frame
    return Letterbox(np.ascontiguousarray(frame.pixels[:, ::-1]), frame.placing)
