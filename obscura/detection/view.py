"""A photo as the inference slices divide it; a panorama is extended behind its right edge."""

from dataclasses import dataclass

import numpy as np

from obscura.detection.arrays import Pixels
from obscura.detection.detections import DetectionOptions
from obscura.detection.inputs import Inputs
from obscura.detection.output_cache import OutputCache
from obscura.detection.tiling import is_panorama, plan_auxiliary, wrap_width
from obscura.geometry import Box, Size

__all__ = ["View", "parts_in_photo", "view_of"]


@dataclass(frozen=True, slots=True)
class View:
    """A photo as the inference slices divide it.

    Attributes
    ----------
    inputs, size
        Network inputs and size in pixels; a panorama is extended by the columns repeated behind its right
        edge.
    period
        The width of a panorama without these columns; None for other photos.
    known
        Raw outputs of slices with the same pixels, which need no run.
    """

    inputs: Inputs
    size: Size
    period: float | None
    known: OutputCache

    @property
    def own_size(self) -> Size:
        """Size of the photo without repeated columns."""
        return self.size if self.period is None else Size(round(self.period), self.size.height)

    @property
    def auxiliary_scale(self) -> float:
        """Input pixels of the auxiliary network per pixel of the photo."""
        return plan_auxiliary(self.size).long_side / self.size.long_side


def view_of(pixels: Pixels, size: Size, options: DetectionOptions, known: OutputCache) -> View:
    """Return the view of a photo of ``size`` pixels, with the inputs of ``options`` if they are its."""
    if not (is_panorama(size) if options.panorama is None else options.panorama):
        shared = options.inputs
        if shared is None or shared.pixels is not pixels:
            shared = Inputs(pixels)
        return View(shared, size, None, known)
    wrap = wrap_width(size)
    wide = np.concatenate([pixels, pixels[:, :wrap]], axis=1)
    return View(Inputs(wide), Size(size.width + wrap, size.height), size.width, known)


def parts_in_photo(box: Box, size: Size, period: float | None) -> tuple[Box, ...]:
    """Return the parts of a box inside the photo; a box across the seam of a panorama has two."""
    shifts = (0.0,) if period is None else (-period, 0.0, period)
    parts = (box.shift(shift, 0.0).clip(size) for shift in shifts)
    return tuple(part for part in parts if not part.is_empty)
