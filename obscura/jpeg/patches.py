"""Regions on the grid of MCUs: what they cover, in which cells, and where their soft edges lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from obscura.errors import InvalidOptionError
from obscura.geometry import Box, Size
from obscura.jpeg.structure import Component, Frame
from obscura.redaction.masks import Window, mask, soft_edge, window
from obscura.redaction.mosaic import Levels, grid
from obscura.redaction.regions import ONE_COLOUR_BELOW, Region
from obscura.redaction.styles import BLUR_FLOOR, Blur, Fill, Mosaic, PixelNoise, Soft, Solid, Style, strength

Touched: TypeAlias = NDArray[np.bool_]
"""``bool[rows, columns]``, by block or by MCU: what is hidden."""


class Edge(NamedTuple):
    """A soft edge: the MCUs around a region, and how much of its colour each gets, 0..1."""

    around: Window
    share: Levels


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
    style
        How it is hidden.
    reach
        Width of what counts as around it, in MCUs.
    sigma
        Of a blur, ``(down, across)`` in MCUs; None for every other style.
    region
        The region, in pixels as stored.
    number
        Its place among the regions of the request.
    edge
        Its soft edge, where it has one.
    """

    inside: Window
    covered: Touched
    labels: NDArray[np.int64]
    style: Style
    reach: float
    region: Region
    number: int
    sigma: tuple[float, float] | None = None
    edge: Edge | None = None


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
    ordered = sorted(enumerate(regions), key=lambda item: (strength(item[1].style), item[1].box))
    return tuple(
        _patch(frame, replace(region, box=box, down=_down(orientation)), number)
        for number, region in ordered
        if not (box := to_stored(_finite(region.box), orientation, frame.size)).clip(frame.size).is_empty
    )


def _down(orientation: int) -> tuple[int, int]:
    """Return where the lower edge of the upright picture lies in the stored one, as a unit vector."""
    middle, below = (to_stored(Box(0, y, 0, y), orientation, Size(0, 0)) for y in (0.0, 1.0))
    return round(below.x1 - middle.x1), round(below.y1 - middle.y1)


def touched_mcus(frame: Frame, covers: Sequence[Patch]) -> Touched:
    """Return ``bool[mcus.height, mcus.width]``: what is changed by any patch, soft edges and all."""
    touched = np.zeros((frame.mcus.height, frame.mcus.width), np.bool_)
    for patch in covers:
        touched[patch.inside.slices] |= patch.covered
        if patch.edge is not None:
            touched[patch.edge.around.slices] |= patch.edge.share > 0
    return touched


def by_block(mcus: NDArray[np.bool_], component: Component) -> Touched:
    """Return a map of MCUs as one of the blocks of a component."""
    return np.ascontiguousarray(mcus.repeat(component.v, axis=0).repeat(component.h, axis=1))


def _patch(frame: Frame, region: Region, number: int) -> Patch:
    """Put a region, in pixels as stored, on the MCU grid."""
    mcu = (frame.mcu.height, frame.mcu.width)
    whole = region.box.scale(1 / frame.mcu.width, 1 / frame.mcu.height)
    inside = window(whole, frame.mcus)
    outer = whole.outward()
    side = max(outer.height * mcu[0], outer.width * mcu[1]) / _cells(region)
    cells = grid(outer, inside, (side / mcu[0], side / mcu[1]))
    is_small = region.box.long_side < ONE_COLOUR_BELOW
    is_weak = is_small and isinstance(region.style, Mosaic | PixelNoise | Blur)
    style = Solid() if is_weak else region.style
    sigma = None
    if isinstance(style, Blur):
        pixels = max(style.sigma_fraction, BLUR_FLOOR) * region.box.long_side
        sigma = (pixels / mcu[0], pixels / mcu[1])
    return Patch(
        inside,
        mask(whole, region.shape, inside),
        cells.labels,
        style,
        region.box.long_side / min(mcu),
        region,
        number,
        sigma,
        _edge(frame, whole, region) if region.feather else None,
    )


def _edge(frame: Frame, whole: Box, region: Region) -> Edge:
    """Return the soft edge of a region whose box is given in MCUs: one MCU wide at least."""
    reach = (max(1.0, region.feather / frame.mcu.height), max(1.0, region.feather / frame.mcu.width))
    outer = whole.outward()
    wide = Box(outer.x1 - reach[1], outer.y1 - reach[0], outer.x2 + reach[1], outer.y2 + reach[0])
    around = window(wide, frame.mcus)
    return Edge(around, soft_edge(outer, region.shape, around, reach))


def _cells(region: Region) -> int:
    """Return the most cells on the long side of a region."""
    if region.box.long_side < ONE_COLOUR_BELOW:
        return 1
    match region.style:
        case Mosaic(cells) | PixelNoise(cells):
            return cells
        case Solid() | Blur() | Soft() | Fill():
            return 1
        case _:
            assert_never(region.style)


def _finite(box: Box) -> Box:
    if not all(map(math.isfinite, box)):
        message = "the coordinates of a box must be finite numbers"
        raise InvalidOptionError(message)
    return box
