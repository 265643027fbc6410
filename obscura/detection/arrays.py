"""Type aliases for arrays."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture, ``[height, width, 3]``, RGB."""

Floats: TypeAlias = NDArray[np.float32]
"""Network input and output, boxes ``[n, 4]`` as ``x1, y1, x2, y2``, or scores ``[n]``."""

Mask: TypeAlias = NDArray[np.bool_]
"""One truth value per box, ``[n]``."""

Indices: TypeAlias = NDArray[np.intp]
"""Positions in another array."""
