"""Share of the labelled area that a redaction would hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from obscura.evaluation.matching import areas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def grown(boxes: Floats, factor: float) -> Floats:
    """Return boxes with both sides scaled by ``factor`` about their centre, ``[n, 4]``, not clipped."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return np.concatenate([centres - halves, centres + halves], axis=1)


def covered_share(labels: Floats, boxes: Floats) -> Floats:
    """Return which share of each label's area lies under the union of the boxes, ``[m]`` in 0..1.

    Exact, not sampled. A label without area counts as covered when a box contains its corner.

    Parameters
    ----------
    labels
        ``[m, 4]``, corners in pixels.
    boxes
        ``[n, 4]``, corners in pixels, already grown as the redaction would grow them.
    """
    return np.array([_covered_share_of_one(label, boxes) for label in labels], dtype=np.float64)


def _covered_share_of_one(label: Floats, boxes: Floats) -> float:
    total = float(areas(label[None])[0])
    if total == 0:
        inside = (boxes[:, :2] <= label[:2]) & (boxes[:, 2:] >= label[2:])
        return float(inside.all(axis=1).any())
    clipped = np.concatenate(
        [boxes[:, :2].clip(label[:2], label[2:]), boxes[:, 2:].clip(label[:2], label[2:])], axis=1
    )
    clipped = clipped[areas(clipped) > 0]
    if not len(clipped):
        return 0.0
    # The boxes' edges divide the label into a grid of cells that are covered wholly or not at all.
    columns = np.unique(clipped[:, [0, 2]])
    rows = np.unique(clipped[:, [1, 3]])
    covers_column = (clipped[:, [0]] <= columns[:-1]) & (clipped[:, [2]] >= columns[1:])
    covers_row = (clipped[:, [1]] <= rows[:-1]) & (clipped[:, [3]] >= rows[1:])
    covered = (covers_row[:, :, None] & covers_column[:, None, :]).any(axis=0)
    cells = np.diff(rows)[:, None] * np.diff(columns)[None, :]
    return float(cells[covered].sum() / total)
