"""Boxes of small objects are brought nearer to the size and place that labels have.

The plate network draws a box the larger, against the label, the smaller the plate is, with its centre too
high. How much was measured by ``python -m training.looseness`` on photos that the network was not trained on
(``training/measured/plate_looseness.jsonl``). The place is corrected whole; of the size only a part: a box
that is too small uncovers pixels, a box that is too large costs a little more paint. What the part costs and
gains stands in the model card.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from obscura.detection.arrays import Floats

__all__ = ["CORRECTIONS", "SizeBias", "corrected"]


@dataclass(frozen=True, slots=True)
class SizeBias:
    """How boxes differ from labels, by the boxes' width; between the widths, linear in their logarithm.

    Attributes
    ----------
    widths
        Widths of boxes in pixels of the photo, ascending; beyond the ends the end's values hold.
    wider, higher
        Median of the box's width, and of its height, over the label's.
    lower
        Median of how far the label's centre lies below the box's, as a share of the label's height.
    taken
        Shares of the widening and of the heightening that are taken back, as powers of the ratios, 0..1.
    """

    widths: tuple[float, ...]
    wider: tuple[float, ...]
    higher: tuple[float, ...]
    lower: tuple[float, ...]
    taken: tuple[float, float]


CORRECTIONS: Final = MappingProxyType(
    {
        "plate": SizeBias(
            widths=(12.0, 20.0, 28.0, 40.0, 56.0, 80.0, 130.0),
            wider=(1.16, 1.19, 1.125, 1.12, 1.105, 1.08, 1.03),
            higher=(1.19, 1.25, 1.225, 1.275, 1.235, 1.175, 1.075),
            lower=(0.01, 0.044, 0.05, 0.05, 0.04, 0.015, 0.012),
            taken=(0.25, 0.25),
        ),
    }
)
"""By class; a class that is not here is not corrected."""


def corrected(boxes: Floats, class_name: str) -> Floats:
    """Return the boxes ``[n, 4]`` (corners in pixels of the photo) of a class, corrected for its bias.

    No side grows, and a centre moves by a few hundredths of the height; a box without area stays as it is.
    """
    bias = CORRECTIONS.get(class_name)
    if bias is None or not len(boxes):
        return boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    place, at = np.log(np.maximum(sides[:, 0], 1.0)), np.log(bias.widths)
    ratios = np.stack([np.interp(place, at, bias.wider), np.interp(place, at, bias.higher)], axis=1)
    halves = sides / ratios ** np.array(bias.taken) / 2
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    centres[:, 1] += np.interp(place, at, bias.lower) * sides[:, 1] / ratios[:, 1]
    return np.concatenate([centres - halves, centres + halves], axis=1).astype(boxes.dtype)
