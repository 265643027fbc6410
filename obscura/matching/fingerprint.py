"""A perceptual hash that detects replayed photos.

The hash of the low frequencies of a picture's discrete cosine transform (Zauner, "Implementation and
benchmarking of perceptual image hash functions", 2010), 16 x 16 of them: the usual 8 x 8 cannot distinguish
a picture sent again from another one taken at the same place.
"""

from typing import Final

import cv2
import numpy as np

from obscura.imaging.pixels import Pixels

_SIDE: Final = 64
_KEPT: Final = 16
REPLAY_BITS: Final = 12
"""Bits of 256 by which a picture sent again may differ after re-encoding or resizing."""


def fingerprint(pixels: Pixels) -> str:
    """Return the hash of a picture, 256 bits as 64 hexadecimal digits."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_KEPT, :_KEPT].ravel()
    return np.packbits(low > np.median(low[1:])).tobytes().hex()


def is_replay(one: str, other: str, bits: int = REPLAY_BITS) -> bool:
    """Return whether two fingerprints are of the same picture, sent again.

    Raises
    ------
    ValueError
        If one of them is not hexadecimal.
    """
    return (int(one, 16) ^ int(other, 16)).bit_count() <= bits
