"""Privacy masks: a picture whose set pixels are always hidden."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from obscura.errors import PhotoError
from obscura.geometry import Box, Size
from obscura.imaging.open import Photo, decode
from obscura.imaging.validation import ValidationLimits
from obscura.redaction.policy import require_fit

__all__ = ["CELL", "MAX_AREAS", "PrivacyMask", "areas_of"]

CELL: Final = 16
"""Side of a cell, in pixels of the photo: the largest block that a JPEG codes at once."""

MAX_AREAS: Final = 512
"""Most boxes of one mask; one that needs more is covered by a coarser grid, which hides more."""

Drawn: TypeAlias = NDArray[np.bool_]
"""``bool[height, width]``: what is to be hidden."""


@dataclass(frozen=True, eq=False, slots=True)
class PrivacyMask:
    """What a mask shows: ``bool[height, width]``, True where it hides."""

    drawn: Drawn

    @classmethod
    def read(cls, data: bytes, limits: ValidationLimits | None = None) -> "PrivacyMask":
        """Return the mask in a picture file: all that is not black, and not wholly transparent.

        Raises
        ------
        PhotoError
            As `obscura.imaging.open.decode` does, with a message that speaks of the mask.
        """
        try:
            photo = decode(data, limits)
        except PhotoError as error:
            message = f"mask: {error.message}"
            raise type(error)(message) from error
        return cls(_drawn(photo))

    @property
    def size(self) -> Size:
        """Width and height, in pixels of its own."""
        return Size(self.drawn.shape[1], self.drawn.shape[0])

    def areas(self, size: Size) -> tuple[Box, ...]:
        """Return boxes that cover what the mask hides in a photo of ``size``; see `areas_of`.

        Raises
        ------
        MaskDoesNotFitError
            If the photo has another aspect ratio.
        """
        require_fit(self.size, size)
        return areas_of(self.drawn, size)


def areas_of(drawn: Drawn, size: Size, cell: int = CELL, most: int = MAX_AREAS) -> tuple[Box, ...]:
    """Return at most ``most`` boxes, none over another, that cover a mask stretched over a photo.

    Parameters
    ----------
    drawn
        The mask; each of its pixels covers its share of the photo, and hides all pixels that it touches.
    size
        Of the upright photo, in pixels.
    cell
        Side of the cells that boxes are made of, in pixels of the photo; doubled until boxes are few enough.
    most
        Of boxes, at least 1.

    Returns
    -------
    tuple
        Boxes in whole pixels, clipped to the photo; nothing is covered but the cells that are touched.
    """
    while True:
        boxes = tuple(box.clip(size) for box in _boxes(_cells(drawn, size, cell), cell))
        if len(boxes) <= most:
            return boxes
        cell *= 2


def _drawn(photo: Photo) -> Drawn:
    """Return what a picture hides: nothing that is drawn faintly is lost, not in 16 bits either."""
    samples = photo.pixels if photo.high_bit_depth is None else photo.high_bit_depth.samples
    opacity = photo.alpha if photo.high_bit_depth is None else photo.high_bit_depth.alpha
    drawn: Drawn = np.any(samples, axis=2)
    return drawn if opacity is None else drawn & (opacity > 0)


def _cells(drawn: Drawn, size: Size, cell: int) -> Drawn:
    """Return which cells of a photo any pixel of the mask touches."""
    rows = [drawn[part].any(axis=0) for part in _parts(drawn.shape[0], size.height, cell)]
    by_row = np.stack(rows)
    columns = [by_row[:, part].any(axis=1) for part in _parts(drawn.shape[1], size.width, cell)]
    return np.stack(columns, axis=1)


def _parts(length: int, target: int, cell: int) -> Iterator[slice]:
    """Yield for each cell on a side of ``target`` pixels which of the mask's ``length`` pixels touch it."""
    for start in range(0, target, cell):
        stop = min(start + cell, target)
        # In whole numbers: rounding must not lose a pixel.
        yield slice(start * length // target, -(-stop * length // target))


def _boxes(cells: Drawn, cell: int) -> Iterator[Box]:
    """Yield runs of cells, joined with the same run of the row before."""
    begun: dict[tuple[int, int], int] = {}
    for number in range(len(cells) + 1):
        runs = _runs(cells[number]) if number < len(cells) else ()
        for ended in [run for run in begun if run not in runs]:
            left, right = ended
            yield Box(left * cell, begun.pop(ended) * cell, right * cell, number * cell)
        for run in runs:
            begun.setdefault(run, number)


def _runs(row: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Return the beginning and the end of each run of True."""
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
