"""Hiding in the planes of a frame: the pattern of an object is chosen once and carried with it.

A mosaic computed anew in each frame would give an attacker many samples of one face, from which a sharper one
can be computed; a pattern that stands still gives one. It also does not flicker.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from obscura.errors import UnsupportedFormatError
from obscura.geometry import Box, Size
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.mosaic import border, contrast_reduced
from obscura.redaction.regions import ONE_COLOUR_BELOW
from obscura.redaction.styles import Blur, Mosaic, PixelNoise, RegionShape, Solid, Style

__all__ = ["Pattern", "cover", "paintable", "pattern_of", "planes"]

# Planar and little-endian, as the encoders take them; 10 bits are kept.
PLANAR: Final = frozenset(
    {f"yuv{sampling}p{depth}" for sampling in ("420", "422", "444") for depth in ("", "10le")}
    | {f"yuvj{sampling}p" for sampling in ("420", "422", "444")}
)
SAME_LAYOUT: Final = {"nv12": "yuv420p", "p010le": "yuv420p10le", "yuv440p": "yuv444p"}
BITS_8: Final = 8

CHROMA_SHARE: Final = 0.33
"""Share of the noise that the planes of colour get: as much as luma's would be garish."""

Plane: TypeAlias = NDArray[Any]
"""``uint8`` or ``uint16`` ``[height, width]``: one component of a frame, writable, in place."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is laid over one object in every frame: a small grid of colours per plane."""

    grids: tuple[Plane, ...]


def paintable(frame: VideoFrame) -> VideoFrame:
    """Return a frame with planes that may be written to: this one, or a copy in the nearest layout."""
    name = frame.format.name
    if name not in PLANAR:
        frame = frame.reformat(format=SAME_LAYOUT.get(name, "yuv420p"))
    frame.make_writable()
    return frame


def planes(frame: VideoFrame) -> Iterator[Plane]:
    """Yield the components of a frame as arrays over its own memory."""
    for number, plane in enumerate(frame.planes):
        component = frame.format.components[number]
        if not component.bits:
            message = f"frames of the layout {frame.format.name} cannot be painted"
            raise UnsupportedFormatError(message)
        dtype = np.dtype(np.uint8 if component.bits == BITS_8 else "<u2")
        line = plane.line_size // dtype.itemsize
        values = np.frombuffer(memoryview(plane), dtype, count=line * plane.height)
        yield values.reshape(plane.height, line)[:, : plane.width]


def _in_plane(box: Box, frame: Size, plane: Plane) -> Box:
    height, width = plane.shape
    # Outward in the plane's own pixels: a chroma sample that belongs in part to the object goes whole.
    return box.scale(width / frame.width, height / frame.height).outward()


def _cells(box: Box, style: Style) -> tuple[int, int]:
    """Return rows and columns of the pattern for a box."""
    match style:
        case Solid():
            return 1, 1
        case Mosaic(cells) | PixelNoise(cells):
            if box.long_side < ONE_COLOUR_BELOW:
                return 1, 1
            side = box.long_side / cells
            return max(1, round(box.height / side)), max(1, round(box.width / side))
        case Blur():
            # A blur that stands still is a mosaic; one that moves would tell more with every frame.
            return _cells(box, Mosaic())
        case _:
            assert_never(style)


def pattern_of(frame: VideoFrame, box: Box, style: Style) -> Pattern:
    """Return the pattern of an object, from where it is first seen; ``box`` in pixels of the stored frame."""
    size = Size(frame.width, frame.height)
    rows, columns = _cells(box, style)
    grids: list[Plane] = []
    for plane, component in zip(planes(frame), frame.format.components, strict=False):
        place = _in_plane(box, size, plane)
        inside = window(place, Size(plane.shape[1], plane.shape[0]))
        if rows * columns == 1:
            grid = _around(plane, inside, place)
        else:
            unit = 2.0 ** (component.bits - BITS_8)
            share = CHROMA_SHARE if grids else 1.0
            grid = unit * _contrast_reduced(plane[inside.slices] / unit, (rows, columns), share)
        grids.append(np.clip(np.rint(grid), 0, 2**component.bits - 1).astype(plane.dtype))
    return Pattern(tuple(grids))


def _around(plane: Plane, inside: Window, place: Box) -> NDArray[np.float64]:
    """Return the mean of what lies around a window: of what it hides it tells nothing."""
    outer = plane[border(inside, place.long_side, 1).slices]
    inner = plane[inside.slices]
    total = outer.sum(dtype=np.float64) - inner.sum(dtype=np.float64)
    count = outer.size - inner.size
    mean = total / count if count else float(np.median(plane))
    return np.full((1, 1), mean)


def _contrast_reduced(part: NDArray[np.float64], cells: tuple[int, int], share: float) -> NDArray[np.float64]:
    """Return what a mosaic shows of ``part``, in 8-bit levels."""
    rows, columns = cells
    if not part.size:
        return np.full(cells, 128.0)
    down, across = _edges(part.shape[0], rows), _edges(part.shape[1], columns)
    means = np.array(
        [[[part[top:bottom, left:right].mean()] for left, right in across] for top, bottom in down]
    )
    return contrast_reduced(means, np.array([part.mean()]), share, os.urandom)[..., 0]


def _edges(length: int, cells: int) -> list[tuple[int, int]]:
    starts = [cell * length // cells for cell in range(cells)]
    return [(start, max((cell + 1) * length // cells, start + 1)) for cell, start in enumerate(starts)]


def cover(frame: VideoFrame, hidden: Sequence[tuple[Pattern, Box, RegionShape]]) -> None:
    """Paint patterns over boxes in pixels of the stored frame, in place; see ``paintable``."""
    size = Size(frame.width, frame.height)
    for number, plane in enumerate(planes(frame)):
        for pattern, box, shape in hidden:
            _lay(plane, pattern.grids[number], _in_plane(box, size, plane), shape)


def _lay(plane: Plane, grid: Plane, box: Box, shape: RegionShape) -> None:
    inside = window(box, Size(plane.shape[1], plane.shape[0]))
    if inside.is_empty:
        return
    rows = _index(inside.y1, inside.y2, (box.y1, box.y2), grid.shape[0])
    columns = _index(inside.x1, inside.x2, (box.x1, box.x2), grid.shape[1])
    covered = mask(box, shape, inside)
    plane[inside.slices][covered] = grid[rows[:, None], columns[None, :]][covered]


def _index(start: int, stop: int, span: tuple[float, float], cells: int) -> NDArray[np.intp]:
    """Return which cell each pixel of ``start``..``stop`` belongs to."""
    low, high = span
    place = (np.arange(start, stop) + 0.5 - low) / (high - low) * cells
    return np.clip(place.astype(np.intp), 0, cells - 1)
