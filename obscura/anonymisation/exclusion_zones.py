"""Exclusion zones, which are never hidden, and privacy masks, which always are.

Where both overlap, the mask wins; a zone excludes only targets that lie wholly inside it.
"""

from collections.abc import Sequence

import numpy as np

from obscura.anonymisation.request import RedactionRequest, Target
from obscura.errors import WeakerThanPolicyError
from obscura.geometry import Box, Size
from obscura.redaction.masks import window
from obscura.redaction.policy import MASK, RedactionPolicy

__all__ = ["planned", "require_few"]


def planned(targets: Sequence[Target], request: RedactionRequest, size: Size) -> list[Target]:
    """Return what is hidden in a picture of ``size``: targets outside the exclusion zones, and the mask.

    Raises
    ------
    WeakerThanPolicyError
        If the zones cover more of the picture than the policy's floor allows.
    MaskDoesNotFitError
        If the mask has another aspect ratio than the picture.
    """
    require_few(request.keep, request.policy, size)
    # Compared before growing: a target that reaches out of a zone is hidden as a whole.
    left = [item for item in targets if not item.box.lies_in_one_of(request.keep)]
    areas = () if request.mask is None else request.mask.areas(size)
    return [*left, *(Target(MASK, area) for area in areas)]


def require_few(zones: Sequence[Box], policy: RedactionPolicy, size: Size) -> None:
    """Raise WeakerThanPolicyError where ``zones`` cover more of a picture than the policy allows."""
    if not zones:
        return
    covered = np.zeros((size.height, size.width), np.bool_)
    for zone in zones:
        covered[window(zone, size).slices] = True
    most = policy.floor.max_keep_share
    if covered.mean() > most:
        message = f"keep: the zones cover {covered.mean():.0%} of the picture; this server allows {most:.0%}"
        raise WeakerThanPolicyError(message)
