"""Decode the raw output of a YOLOv8 head."""

from typing import NamedTuple

import numpy as np

from obscura.detection.arrays import Floats

__all__ = ["BOX_ROWS", "MAX_CANDIDATES", "RawBoxes", "decode"]

MAX_CANDIDATES = 2000
"""Best boxes of one slice that are used. The densest crowds have a few hundred faces, each found by a handful
of anchors; without a limit a threshold near zero would let thousands of false boxes through."""

BOX_ROWS = 4
"""Rows of an output before the scores: centre x and y, width, height."""

_BATCHED = 3
"""Dimensions of an output with its batch dimension."""


class RawBoxes(NamedTuple):
    """Boxes ``[n, 4]`` as ``x1, y1, x2, y2`` in input pixels, and their scores ``[n]``, best first."""

    boxes: Floats
    scores: Floats


def decode(output: Floats, min_confidence: float, limit: int = MAX_CANDIDATES) -> RawBoxes:
    """Return the boxes of one picture whose score is at least ``min_confidence``, the best ``limit`` of them.

    Parameters
    ----------
    output
        float32 ``[1, 4 + classes, anchors]`` or ``[4 + classes, anchors]``: box centre, width and height in
        input pixels, then one score per class after the sigmoid. The best class counts.
    min_confidence
        Score, 0..1.
    limit
        Cap on the number of boxes.

    Raises
    ------
    ValueError
        If ``output`` has another shape.
    """
    rows = output[0] if output.ndim == _BATCHED and output.shape[0] == 1 else output
    if rows.ndim != _BATCHED - 1 or rows.shape[0] <= BOX_ROWS:
        message = f"not the output of a YOLOv8 head for one picture: shape {output.shape}"
        raise ValueError(message)
    scores = rows[BOX_ROWS:].max(axis=0) if rows.shape[0] > BOX_ROWS + 1 else rows[BOX_ROWS]
    # Threshold first, so that only a few dozen of some ten thousand anchors are copied below.
    anchors = np.flatnonzero(scores >= min_confidence)
    anchors = anchors[np.argsort(-scores[anchors], kind="stable")[:limit]]
    centre_x, centre_y, width, height = rows[:BOX_ROWS, anchors]
    boxes = np.stack(
        [centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2], axis=1
    )
    return RawBoxes(boxes.astype(np.float32), scores[anchors].astype(np.float32))
