"""Hiding in the planes of a frame: the pattern of an object is chosen once and carried with it.

A mosaic computed anew in each frame would give an attacker many samples of one face, from which a sharper one
can be computed; a pattern that stands still gives one. It also does not flicker.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.mosaic import border, contrast_reduced
from obscura.redaction.regions import ONE_COLOUR_BELOW, Region
from obscura.redaction.smooth import CB, CR, LUMA
from obscura.redaction.styles import Blur, Fill, Mosaic, PixelNoise, RegionShape, Soft, Solid, Style
from obscura.video.planes import BITS_8, Plane, paintable, planes
from obscura.video.smooth import colours_of, fill_frame, range_of, tone_in

__all__ = ["Pattern", "cover", "paintable", "pattern_of", "planes"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is laid over one object in every frame.

    Attributes
    ----------
    grids
        A small grid of colours per plane; none where the style is filled from around.
    smooth
        The style that is filled from around, in each frame anew.
    tone
        Of a face, chosen once: all that is told of it in all frames.
    colours
        How far the colours of the frame it was chosen in lie from grey.
    down
        Unit vector from forehead to chin of an upright head, in the stored frame.
    """

    grids: tuple[Plane, ...] = ()
    smooth: Soft | Fill | None = None
    tone: int | None = None
    colours: float = 0.0
    down: tuple[int, int] = (0, 1)


def _in_plane(box: Box, frame: Size, plane: Plane) -> Box:
    height, width = plane.shape
    # Outward in the plane's own pixels: a chroma sample that belongs in part to the object goes whole.
    return box.scale(width / frame.width, height / frame.height).outward()


def _cells(box: Box, style: Style) -> tuple[int, int]:
    """Return rows and columns of the pattern for a box."""
    match style:
        case Solid() | Soft() | Fill():
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


def pattern_of(frame: VideoFrame, box: Box, style: Style, down: tuple[int, int] = (0, 1)) -> Pattern:
    """Return the pattern of an object, from where it is first seen; ``box`` in pixels of the stored frame."""
    match style:
        case Soft():
            return Pattern((), style, tone_in(frame, box), colours_of(frame, [box]), down)
        case Fill():
            return Pattern((), style)
        case Solid(colour) if colour is not None:
            return Pattern(tuple(_given(frame, colour)))
        case _:
            return _grids_of(frame, box, style)


def _given(frame: VideoFrame, colour: tuple[int, int, int]) -> Iterator[Plane]:
    """Yield one colour as a grid per plane."""
    coding = range_of(frame)
    luma, cb, cr = (float(np.dot(colour, weights)) for weights in (LUMA, CB, CR))
    levels = (coding.black + luma * coding.luma, 128.0 + cb * coding.chroma, 128.0 + cr * coding.chroma)
    for plane, component, level in zip(planes(frame), frame.format.components, levels, strict=False):
        yield np.full((1, 1), round(level * 2.0 ** (component.bits - BITS_8)), plane.dtype)


def _grids_of(frame: VideoFrame, box: Box, style: Style) -> Pattern:
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
            # Noise moves the brightness, never the hue.
            share = 0.0 if grids else 1.0
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
    fixed = [item for item in hidden if item[0].smooth is None]
    smooth = [
        (pattern, Region(box, pattern.smooth, shape, tone=pattern.tone, down=pattern.down))
        for pattern, box, shape in hidden
        if pattern.smooth is not None
    ]
    if smooth:
        colours = max(pattern.colours for pattern, _ in smooth)
        outlines = [(box, shape) for _, box, shape in fixed]
        fill_frame(frame, [region for _, region in smooth], outlines, colours)
    for number, plane in enumerate(planes(frame)):
        for pattern, box, shape in fixed:
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
