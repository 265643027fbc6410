"""Which blocks are replaced, and by what.

A region hides every MCU that its outline touches, as a whole. A hidden block keeps no AC coefficient; its DC
coefficient is eight times the mean level of its samples (ITU-T T.81 A.3.3), and becomes

- Mosaic: the mean of a cell of whole MCUs, moved by noise, of which colour differences get half. No cell is
  smaller than an MCU; a region has at most as many cells on its long side as the style says, and fewer where
  MCUs are large.
- Solid: one mean for the region, and so for every object smaller than `ONE_COLOUR_BELOW`.
- PixelNoise: as Mosaic, with stronger noise for every block in addition. Noise goes no finer than blocks: in
  pixels it would need AC coefficients, and those would make the file many times larger.
- Blur: the means of MCUs, smoothed over the region by a Gaussian. It is as coarse as MCUs are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from obscura.errors import InvalidOptionError
from obscura.geometry import Box, Size
from obscura.jpeg.structure import BLOCK_SIDE, Component, Frame, Structure
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.paint import CELL_NOISE, PIXEL_NOISE, noise
from obscura.redaction.regions import ONE_COLOUR_BELOW, Region
from obscura.redaction.styles import BLUR_FLOOR, Blur, Mosaic, PixelNoise, Solid, Style, strength

Plane: TypeAlias = NDArray[np.int16]
"""``int16[rows, columns]``: DC coefficients of a component, quantised, in whole MCUs."""

Touched: TypeAlias = NDArray[np.bool_]
"""``bool[rows, columns]``, by block or by MCU: what is hidden."""

Entropy: TypeAlias = Callable[[int], bytes]
"""Gives that many random bytes."""

_LOWEST: Final = -128.0
_HIGHEST: Final = 127.0


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """A region on the MCU grid.

    Attributes
    ----------
    inside
        The MCUs around it, in MCUs.
    covered
        ``bool[inside.height, inside.width]``: those that its outline touches.
    labels
        ``int64``, of the same shape: the cell that each MCU belongs to.
    sigma
        Of a blur, ``(down, across)`` in MCUs; None for every other style.
    style
        How it is hidden.
    """

    inside: Window
    covered: Touched
    labels: NDArray[np.int64]
    style: Style
    sigma: tuple[float, float] | None = None


def to_stored(box: Box, orientation: int, stored: Size) -> Box:
    """Return where a box of the upright picture lies in the stored one.

    Parameters
    ----------
    box
        In pixels of the upright picture.
    orientation
        EXIF orientation (CIPA DC-008 4.6.5), 1..8.
    stored
        Size of the picture as stored.
    """
    if orientation >= 5:  # noqa: PLR2004 - the first of those that swap rows and columns
        box = Box(box.y1, box.x1, box.y2, box.x2)
    if orientation in (2, 3, 7, 8):
        box = Box(stored.width - box.x2, box.y1, stored.width - box.x1, box.y2)
    if orientation in (3, 4, 6, 7):
        box = Box(box.x1, stored.height - box.y2, box.x2, stored.height - box.y1)
    return box


def patches(frame: Frame, regions: Sequence[Region], orientation: int) -> tuple[Patch, ...]:
    """Return the regions that lie in the picture, weakest style first, on the MCU grid.

    Raises
    ------
    InvalidOptionError
        If a coordinate is not a finite number.
    """
    ordered = sorted(regions, key=lambda region: (strength(region.style), region.box))
    return tuple(
        _patch(frame, Region(box, region.style, region.shape))
        for region in ordered
        if not (box := to_stored(_finite(region.box), orientation, frame.size)).clip(frame.size).is_empty
    )


def touched_mcus(frame: Frame, covers: Sequence[Patch]) -> Touched:
    """Return ``bool[mcus.height, mcus.width]``: what is hidden by any patch."""
    touched = np.zeros((frame.mcus.height, frame.mcus.width), np.bool_)
    for patch in covers:
        touched[patch.inside.slices] |= patch.covered
    return touched


def by_block(mcus: NDArray[np.bool_], component: Component) -> Touched:
    """Return a map of MCUs as one of the blocks of a component."""
    return np.ascontiguousarray(mcus.repeat(component.v, axis=0).repeat(component.h, axis=1))


def replaced(
    structure: Structure, planes: Sequence[Plane], covers: Sequence[Patch], entropy: Entropy
) -> list[Plane]:
    """Return copies of the DC planes of all components with the hidden blocks replaced.

    What replaces them is computed from the planes as they came; where patches overlap, the last one shows.
    """
    fresh = [plane.copy() for plane in planes]
    for patch in covers:
        for index, component in enumerate(structure.frame.components):
            step = structure.quants[index].divisors[0] / BLOCK_SIDE
            window_of = _blocks(patch.inside, component)
            here = planes[index][window_of]
            sums, counts = _per_mcu(here, component, patch.inside)
            # Colour differences count for about twice as much as brightness.
            share = 0.5 if structure.has_chroma and index in (1, 2) else 1.0
            levels = _levels(patch, sums * step, counts, share, entropy)
            blocks = levels.repeat(component.v, axis=0).repeat(component.h, axis=1)
            if isinstance(patch.style, PixelNoise):
                blocks = blocks + share * noise(blocks.shape, PIXEL_NOISE, entropy).astype(np.float64)
            values = np.rint(blocks.clip(_LOWEST, _HIGHEST) / step).astype(np.int16)
            hidden = by_block(patch.covered, component)
            fresh[index][window_of][hidden] = values[hidden]
    return fresh


def _patch(frame: Frame, region: Region) -> Patch:
    """Put a region, in pixels as stored, on the MCU grid."""
    whole = region.box.scale(1 / frame.mcu.width, 1 / frame.mcu.height)
    inside = window(whole, frame.mcus)
    # By the whole box, not by its visible part: half a face at the picture's edge must not get finer cells.
    outer = whole.outward()
    cells = _cells(region)
    side = math.ceil(max(outer.width * frame.mcu.width, outer.height * frame.mcu.height) / cells)
    rows = (np.arange(inside.y1, inside.y2) - int(outer.y1)) // math.ceil(side / frame.mcu.height)
    columns = (np.arange(inside.x1, inside.x2) - int(outer.x1)) // math.ceil(side / frame.mcu.width)
    labels = (rows - rows[0])[:, None] * (columns[-1] - columns[0] + 1) + (columns - columns[0])[None, :]
    covered = mask(whole, region.shape, inside)
    match region.style:
        case _ if region.box.long_side < ONE_COLOUR_BELOW:
            return Patch(inside, covered, labels, Solid())
        case Blur(sigma_fraction):
            sigma = max(sigma_fraction, BLUR_FLOOR) * region.box.long_side
            return Patch(
                inside, covered, labels, region.style, (sigma / frame.mcu.height, sigma / frame.mcu.width)
            )
        case _:
            return Patch(inside, covered, labels, region.style)


def _cells(region: Region) -> int:
    """Return the most cells on the long side of a region."""
    if region.box.long_side < ONE_COLOUR_BELOW:
        return 1
    match region.style:
        case Mosaic(cells) | PixelNoise(cells):
            return cells
        case Solid() | Blur():
            return 1
        case _:
            assert_never(region.style)


def _per_mcu(
    plane: Plane, component: Component, inside: Window
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sum and number of the blocks in each MCU, without those that lie outside the picture."""
    rows = np.arange(inside.y1 * component.v, inside.y2 * component.v) < component.rows
    columns = np.arange(inside.x1 * component.h, inside.x2 * component.h) < component.columns
    real = rows[:, None] & columns[None, :]
    shape = (inside.y2 - inside.y1, component.v, inside.x2 - inside.x1, component.h)
    sums = np.where(real, plane, 0).reshape(shape).sum(axis=(1, 3), dtype=np.float64)
    return sums, real.reshape(shape).sum(axis=(1, 3), dtype=np.float64)


def _levels(
    patch: Patch, sums: NDArray[np.float64], counts: NDArray[np.float64], share: float, entropy: Entropy
) -> NDArray[np.float64]:
    """Return the mean level, -128..127, that each MCU of a patch is to have, given sum and number of blocks.

    Noise is added by its ``share``.
    """
    if patch.sigma is not None:
        return _smoothed(patch, sums, counts, patch.sigma)
    labels = patch.labels[patch.covered]
    size = int(patch.labels[-1, -1]) + 1
    totals = np.bincount(labels, sums[patch.covered], size)
    means = totals / np.bincount(labels, counts[patch.covered], size).clip(min=1.0)
    if isinstance(patch.style, Mosaic | PixelNoise):
        means = means.clip(_LOWEST, _HIGHEST) + share * noise(means.shape, CELL_NOISE, entropy).astype(
            np.float64
        )
    return np.asarray(means[patch.labels], np.float64)


def _smoothed(
    patch: Patch, sums: NDArray[np.float64], counts: NDArray[np.float64], sigma: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the means of MCUs, smoothed over the covered ones."""
    down, across = (_gaussian(length, part) for length, part in zip(sums.shape, sigma, strict=True))
    weights = down @ (counts * patch.covered) @ across
    return np.asarray(down @ (sums * patch.covered) @ across / weights.clip(min=1e-9), np.float64)


def _gaussian(length: int, sigma: float) -> NDArray[np.float64]:
    """Return the weights of ``length`` places for each other, ``float64[length, length]``."""
    places = np.arange(length, dtype=np.float64)
    return np.asarray(np.exp(-0.5 * ((places[:, None] - places[None, :]) / sigma) ** 2), np.float64)


def _blocks(inside: Window, component: Component) -> tuple[slice, slice]:
    """Return a window of MCUs as an index into a component's blocks."""
    return (
        slice(inside.y1 * component.v, inside.y2 * component.v),
        slice(inside.x1 * component.h, inside.x2 * component.h),
    )


def _finite(box: Box) -> Box:
    if not all(map(math.isfinite, box)):
        message = "the coordinates of a box must be finite numbers"
        raise InvalidOptionError(message)
    return box
