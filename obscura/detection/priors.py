"""Reject boxes whose size or shape rules out a face or a plate.

The limits are wide: a false box hides a patch without need, a missed one shows a person. ``None`` switches a
limit off.
"""

from dataclasses import dataclass

import numpy as np

from obscura.detection.arrays import Mask
from obscura.detection.merging import Candidates
from obscura.geometry import Size

__all__ = ["NO_PRIORS", "Priors", "plausible", "priors_for"]


@dataclass(frozen=True, slots=True)
class Priors:
    """Limits on the boxes of one class.

    Attributes
    ----------
    min_side
        Shorter side in pixels of the photo.
    max_share
        Area as a share of the photo's, 0..1.
    large_share, large_score
        A box of that share of the photo or more needs that score. Of 5,823 training and validation photos, of
        plates from 12 % of the photo on 82 were found with a score of 0.3 or more and none below; ten of
        the 27 false ones, lettering on shirts, walls and posters, had less than 0.25.
    min_aspect, max_aspect
        Width divided by height.
    """

    min_side: float | None = None
    max_share: float | None = None
    large_share: float | None = None
    large_score: float = 0.0
    min_aspect: float | None = None
    max_aspect: float | None = None


NO_PRIORS = Priors()

_DEFAULTS = {
    "face": Priors(min_side=2.0, min_aspect=0.2, max_aspect=4.0),
    "plate": Priors(
        min_side=2.0, max_share=0.9, large_share=0.12, large_score=0.25, min_aspect=0.3, max_aspect=15.0
    ),
}


def priors_for(class_name: str) -> Priors:
    """Return the limits of a class; a class that is not known has none."""
    return _DEFAULTS.get(class_name, NO_PRIORS)


def plausible(found: Candidates, size: Size, priors: Priors) -> Mask:
    """Return which boxes, in pixels of a photo of ``size``, are within the limits, ``[n]``."""
    boxes = found.boxes
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    aspect = width / np.maximum(height, np.finfo(np.float32).tiny)
    kept = np.ones(len(boxes), dtype=np.bool_)
    if priors.min_side is not None:
        kept &= np.minimum(width, height) >= priors.min_side
    if priors.max_share is not None:
        kept &= width * height <= priors.max_share * size.pixels
    if priors.large_share is not None:
        kept &= (width * height < priors.large_share * size.pixels) | (found.scores >= priors.large_score)
    if priors.min_aspect is not None:
        kept &= aspect >= priors.min_aspect
    if priors.max_aspect is not None:
        kept &= aspect <= priors.max_aspect
    return kept
