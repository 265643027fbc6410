"""Coefficients and samples of blocks, many at once: ITU-T T.81 A.3.3, in the order of A.3.6 (zigzag)."""

from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from obscura.jpeg.structure import BLOCK_SIDE, COEFFICIENTS

Coefficients: TypeAlias = NDArray[np.int16]
"""``int16[..., 64]``: quantised, in zigzag order."""

Samples: TypeAlias = NDArray[np.float32]

_LOWEST: Final = 0.0
_HIGHEST: Final = 255.0
_SHIFT: Final = 128.0
_PIECE: Final = 48


def cell_means(values: Coefficients, divisors: NDArray[np.float32], across: int) -> Samples:
    """Return the mean level, 0..255, of ``across`` by ``across`` cells of each block, ``float32[..., n, n]``.

    Parameters
    ----------
    values
        ``int16[..., 64]``.
    divisors
        The quantisation table, ``float32[64]`` in zigzag order.
    across
        1, 2, 4 or 8.
    """
    used = values.astype(np.float32) * divisors
    cells = _times(used.reshape(-1, COEFFICIENTS), _to_cells(across).T) + np.float32(_SHIFT)
    return np.asarray(cells.reshape(*values.shape[:-1], across, across), np.float32)


def coefficients(samples: Samples, divisors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the coefficients of blocks, in steps of the quantisation table and not rounded.

    Parameters
    ----------
    samples
        ``float32[blocks, 64]``, row by row, 0..255; clipped to that.
    divisors
        As in `cell_means`.
    """
    shifted = samples.clip(_LOWEST, _HIGHEST) - np.float32(_SHIFT)
    return np.asarray(_times(shifted, _to_cells(BLOCK_SIDE)) / divisors, np.float32)


def _times(rows: Samples, matrix: Samples) -> Samples:
    """Return a matrix product, computed in pieces that no BLAS spreads over threads.

    Threads would take several times the CPU time, and might add in another order on another machine.
    """
    count, length = rows.shape
    pieces = -(-count // _PIECE)
    padded = np.zeros((pieces * _PIECE, length), np.float32)
    padded[:count] = rows
    product = np.matmul(padded.reshape(pieces, _PIECE, length), matrix)
    return np.asarray(product.reshape(pieces * _PIECE, matrix.shape[-1])[:count], np.float32)


@cache
def _to_cells(across: int) -> NDArray[np.float32]:
    """Return what coefficients in zigzag order are multiplied by, ``float32[cells, 64]``."""
    mean = np.kron(np.eye(across), np.full((1, BLOCK_SIDE // across), across / BLOCK_SIDE))
    part = mean @ _basis().T
    return np.ascontiguousarray(np.kron(part, part)[:, _zigzag()], np.float32)


def _basis() -> NDArray[np.float64]:
    """Return the orthonormal DCT-II, ``float64[frequency, sample]``."""
    frequency, sample = np.mgrid[:BLOCK_SIDE, :BLOCK_SIDE]
    waves: NDArray[Any] = np.cos((2 * sample + 1) * frequency * np.pi / (2 * BLOCK_SIDE)) / 2
    waves[0] /= np.sqrt(2)
    return np.asarray(waves, np.float64)


def _zigzag() -> list[int]:
    """Return the place, row by row, of each coefficient in zigzag order."""

    def order(place: int) -> tuple[int, int]:
        row, column = divmod(place, BLOCK_SIDE)
        diagonal = row + column
        return diagonal, row if diagonal % 2 else column

    return sorted(range(COEFFICIENTS), key=order)
