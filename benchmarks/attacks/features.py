"""Features of a redacted face for an attacker: colours, edges, texture."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.methods import Pixels
from obscura.geometry import Box, Size
from obscura.redaction.masks import window
from obscura.redaction.regions import grown

Vectors: TypeAlias = NDArray[np.float32]

COLOUR_SIDE: Final = 15
"""Three points in every one of five cells: finer reading adds nothing to a mosaic."""

EDGE_SIDE: Final = 64
LBP_SIDE: Final = 48
LBP_TILES: Final = 4
AROUND: Final = 2.0
"""Growth of the box that shows a face with what lies around it, which no style hides."""

KINDS: Final = (
    "colours",
    "colours, light removed",
    "colours with surroundings",
    "edges (HOG)",
    "texture (LBP)",
    "all",
)
_HOG: Final = cv2.HOGDescriptor((EDGE_SIDE, EDGE_SIDE), (16, 16), (8, 8), (8, 8), 9)


def measure(redacted: Pixels, box: Box) -> dict[str, Vectors]:
    """Return feature vectors of the area around a face, which the label's box aligns, by `KINDS`."""
    size = Size(redacted.shape[1], redacted.shape[0])
    area = redacted[window(grown(box), size).slices]
    colours = cv2.resize(area, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    unlit = (colours - colours.mean(axis=(0, 1))) / (colours.std() + 1)
    wide = redacted[window(grown(box, AROUND), size).slices]
    around = cv2.resize(wide, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    grey = cv2.cvtColor(area, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (EDGE_SIDE, EDGE_SIDE), interpolation=cv2.INTER_AREA)
    edges = np.asarray(_HOG.compute(small), np.float32).ravel()
    texture = _lbp(cv2.resize(grey, (LBP_SIDE, LBP_SIDE), interpolation=cv2.INTER_AREA))
    found = dict(zip(KINDS, (colours.ravel(), unlit.ravel(), around.ravel(), edges, texture), strict=False))
    return found | {KINDS[-1]: np.concatenate([_unit(vector) for vector in found.values()])}


def _unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / (np.linalg.norm(vector) + 1e-6), np.float32)


def _lbp(grey: NDArray[np.generic]) -> Vectors:
    """Return histograms of local binary patterns, one per tile."""
    levels = grey.astype(np.int16)
    middle = levels[1:-1, 1:-1]
    codes = np.zeros(middle.shape, np.int64)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (dy, dx) in enumerate(around):
        neighbour = levels[dy : dy + middle.shape[0], dx : dx + middle.shape[1]]
        codes |= (neighbour >= middle).astype(np.int64) << bit
    tiles = [
        tile for row in np.array_split(codes, LBP_TILES) for tile in np.array_split(row, LBP_TILES, axis=1)
    ]
    return np.concatenate([np.bincount(tile.ravel(), minlength=256) for tile in tiles]).astype(np.float32)
