"""Keep-out zones, areas that are never to be touched, and masks, areas that always are.

Where both lie, the mask wins; and a zone spares only what lies wholly inside it.
"""

from collections.abc import Sequence

import numpy as np

from obscura.anonymisation.request import RedactionRequest, Target
from obscura.errors import WeakerThanPolicyError
from obscura.geometry import Size
from obscura.redaction.masks import window
from obscura.redaction.policy import MASK

__all__ = ["planned"]


def planned(targets: Sequence[Target], request: RedactionRequest, size: Size) -> list[Target]:
    """Return what is to be hidden in a picture of ``size``: the targets that no zone spares, and the mask.

    Raises
    ------
    WeakerThanPolicyError
        If the zones cover more of the picture than the policy's floor allows.
    MaskDoesNotFitError
        If the mask has another aspect ratio than the picture.
    """
    _require_few(request, size)
    # As found, not as grown: a find that sticks out of a zone is hidden whole.
    left = [item for item in targets if not any(zone.contains(item.box) for zone in request.keep)]
    areas = () if request.mask is None else request.mask.areas(size)
    return [*left, *(Target(MASK, area) for area in areas)]


def _require_few(request: RedactionRequest, size: Size) -> None:
    """Refuse zones that cover too much of a picture."""
    if not request.keep:
        return
    covered = np.zeros((size.height, size.width), np.bool_)
    for zone in request.keep:
        covered[window(zone, size).slices] = True
    most = request.policy.floor.max_keep_share
    if covered.mean() > most:
        message = f"keep: the zones cover {covered.mean():.0%} of the picture; this server allows {most:.0%}"
        raise WeakerThanPolicyError(message)
