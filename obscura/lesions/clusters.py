"""Group marks by single linkage."""

from collections.abc import Sequence
from typing import Final

import numpy as np

LINKAGE_MM: Final = 5.6
LEAST_MARKS: Final = 3


def groups(centres_mm: Sequence[tuple[float, float]]) -> tuple[tuple[int, ...], ...]:
    """Return the indices of each cluster's points: single linkage with `LINKAGE_MM`, at least three points.

    Parameters
    ----------
    centres_mm
        ``(x, y)`` of each point, in mm.
    """
    points = np.array(centres_mm, np.float64).reshape(-1, 2)
    unseen = set(range(len(points)))
    found: list[tuple[int, ...]] = []
    while unseen:
        group, frontier = [], [min(unseen)]
        unseen.discard(frontier[0])
        while frontier:
            index = frontier.pop()
            group.append(index)
            near = np.hypot(*(points - points[index]).T) <= LINKAGE_MM
            fresh = [other for other in np.flatnonzero(near).tolist() if other in unseen]
            unseen.difference_update(fresh)
            frontier += fresh
        if len(group) >= LEAST_MARKS:
            found.append(tuple(sorted(group)))
    return tuple(found)
