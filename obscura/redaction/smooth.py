"""Painting the styles that are filled from around, `Soft` and `Fill`, in pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.areas import Area, areas_of
from obscura.redaction.fill import Cells, Face, Weights, interpolated, shaded
from obscura.redaction.masks import Window, mask, soft_edge, window
from obscura.redaction.regions import Region
from obscura.redaction.styles import RegionShape, Soft
from obscura.redaction.tones import CORE, as_rgb, chroma_of, tone_of

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""

CB: Final = (-0.168736, -0.331264, 0.5)
CR: Final = (0.5, -0.418688, -0.081312)
_COLOURS: Final = 3
_SAMPLED: Final = 128
"""Pixels on a side of the sample that tells whether a picture has colours."""

_COLOURED_SHARE: Final = 0.95
"""Quantile of the pixels' distance from grey that counts as the picture's."""

Pixels = NDArray[Any]
Hidden = NDArray[np.bool_]


def with_tones(pixels: Pixels, regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the regions with the tone of each face: all that a redaction takes from what it hides.

    Parameters
    ----------
    pixels
        ``uint8`` or ``uint16[height, width, channels]``, before anything is painted.
    regions
        In pixels; those that have a tone keep it.
    """
    return tuple(
        replace(region, tone=tone_of(_core_luma(pixels, region.box)))
        if isinstance(region.style, Soft) and region.tone is None
        else region
        for region in regions
    )


def core(box: Box, size: Size) -> Window:
    """Return the places whose mean brightness chooses a face's tone; empty only outside the picture."""
    inside = window(box.grow(CORE), size)
    return window(box, size) if inside.is_empty else inside


def colourfulness(pixels: Pixels, hidden: Hidden) -> float:
    """Return how far the colours of what is seen lie from grey, in 8-bit levels."""
    height, width, channels = pixels.shape
    if channels != _COLOURS:
        return 0.0
    every = (slice(None, None, max(1, height // _SAMPLED)), slice(None, None, max(1, width // _SAMPLED)))
    seen = pixels[every][~hidden[every]].astype(np.float32) / _unit(pixels)
    return coloured(
        np.abs(np.stack((seen @ np.asarray(CB, np.float32), seen @ np.asarray(CR, np.float32)))).max(axis=0)
    )


def coloured(distances: NDArray[np.float32]) -> float:
    """Return the `colourfulness` of samples that lie so far from grey."""
    if not distances.size:
        return 0.0
    rank = round(_COLOURED_SHARE * (distances.size - 1))
    # `np.percentile` would import numpy.ma, a twentieth of a command's start.
    return float(np.partition(distances, rank)[rank])


def fill_smoothly(painted: Pixels, source: Pixels, hidden: Hidden, regions: Sequence[Region]) -> None:
    """Paint regions of the styles `Soft` and `Fill`, in place.

    Parameters
    ----------
    painted
        The picture so far, ``uint8`` or ``uint16[height, width, channels]``.
    source
        The picture as it came. Of its hidden pixels nothing is used but for the choice of tones.
    hidden
        ``bool[height, width]``: what any region hides, of these and of all others.
    regions
        Those to paint; parts outside the picture are left out.
    """
    regions_with_tone = with_tones(source, regions)
    colours = colourfulness(source, hidden)
    for area in areas_of(regions_with_tone):
        _fill_area(painted, source, hidden, area, colours)


def _fill_area(painted: Pixels, source: Pixels, hidden: Hidden, area: Area, colours: float) -> None:
    height, width = source.shape[:2]
    size = Size(width, height)
    inside = window(area.box, size)
    here = source[inside.slices]
    means, seen = cells_of(here, hidden[inside.slices], area.cell, _unit(source))
    faces = [
        _face(region, inside, area.cell, _tones(region.tone, means, seen, colours))
        for region in area.regions
        if isinstance(region.style, Soft)
    ]
    fill = shaded(interpolated(means, seen), faces)
    levels = enlarged(fill, area.cell, Size(here.shape[1], here.shape[0])) * np.float32(_unit(source))
    target = painted[inside.slices]
    for region in area.regions:
        if region.feather:
            _feather(target, levels, region, inside)
    patch = _rounded(levels, source.dtype)
    for region in area.regions:
        part = window(region.box, size)
        if not part.is_empty:
            _lay(
                target, patch, mask(region.box, region.shape, part), part.y1 - inside.y1, part.x1 - inside.x1
            )


def enlarged(fill: Cells, cell: int, size: Size) -> Cells:
    """Return a fill in samples, without what lies beyond ``size``."""
    tall, wide, channels = fill.shape[0] * cell, fill.shape[1] * cell, fill.shape[2]
    whole = np.asarray(cv2.resize(fill, (wide, tall), interpolation=cv2.INTER_LINEAR), np.float32)
    return whole.reshape(tall, wide, channels)[: size.height, : size.width]


def _lay(target: Pixels, patch: Pixels, covered: Hidden, top: int, left: int) -> None:
    """Copy what is covered of a patch, in place."""
    here = (slice(top, top + covered.shape[0]), slice(left, left + covered.shape[1]))
    np.copyto(target[here], patch[here], where=covered[..., None])


def _rounded(levels: Cells, dtype: np.dtype[Any]) -> Pixels:
    """Return levels as samples."""
    return np.rint(levels).clip(0, np.iinfo(dtype).max).astype(dtype)


def _feather(target: Pixels, levels: Cells, region: Region, inside: Window) -> None:
    """Let a fill pass into the picture around it, in place."""
    share = soft_edge(region.box, region.shape, inside, (region.feather, region.feather))[..., None]
    target[:] = _rounded(np.asarray(share * levels + (1.0 - share) * target, np.float32), target.dtype)


def cells_of(here: Pixels, hidden: Hidden, cell: int, unit: float) -> tuple[Cells, Weights]:
    """Return by cell its mean and 1 where all of it is seen; cells at the edge are filled up.

    Parameters
    ----------
    here
        ``[height, width, channels]``: samples, of which an 8-bit level is ``unit``.
    hidden
        ``bool[height, width]``.
    cell
        Side of a cell, in samples.
    """
    height, width, channels = here.shape
    size = (-(-width // cell), -(-height // cell))
    pad = (0, size[1] * cell - height, 0, size[0] * cell - width)
    planes: list[NDArray[Any]] = [here, hidden.view(np.uint8) * np.uint8(255)]
    if any(pad):
        planes = [cv2.copyMakeBorder(plane, *pad, cv2.BORDER_REPLICATE) for plane in planes]
    if cell > 1:
        # One hidden pixel of 16 x 16 makes the mean of 255 just 1.
        planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
    means = planes[0].reshape(size[1], size[0], channels).astype(np.float32)
    return means / np.float32(unit), np.asarray(planes[1] == 0, np.float32)


def _tones(tone: int | None, means: Cells, seen: Weights, colours: float) -> tuple[tuple[float, float], ...]:
    """Return a tone by channel, for a picture in colour or in grey."""
    number = tone or 0
    if means.shape[2] != _COLOURS:
        return as_rgb(number, (0.0, 0.0))[:1]
    total = max(float(seen.sum()), 1e-6)
    around = (means * seen[..., None]).sum(axis=(0, 1)) / total
    cb, cr = (128.0 + float(around @ np.asarray(weights, np.float32)) for weights in (CB, CR))
    return as_rgb(number, chroma_of(number, (cb, cr), colours))


def _face(region: Region, inside: Window, cell: int, tones: tuple[tuple[float, float], ...]) -> Face:
    place = region.box.shift(-inside.x1, -inside.y1).scale(1 / cell, 1 / cell)
    return face_at(region, place, tones)


def face_at(region: Region, place: Box, tones: Sequence[tuple[float, float]]) -> Face:
    """Return a face that a region hides, given where that lies on a grid of cells."""
    x1, y1, x2, y2 = place
    half = ((x2 - x1) / 2, (y2 - y1) / 2)
    return Face((x1 + x2) / 2, (y1 + y2) / 2, *half, exponent_of(region), region.down, tuple(tones))


def exponent_of(region: Region) -> float:
    """Return the exponent of the outline in which a tone fades: that of the region, as round as a head."""
    return min(region.shape.exponent, RegionShape.SUPERELLIPSE.exponent)


def _core_luma(pixels: Pixels, box: Box) -> float:
    """Return the mean brightness of the middle of a face, in 8-bit levels; mid-grey outside the picture."""
    inside = core(box, Size(pixels.shape[1], pixels.shape[0]))
    if inside.is_empty:
        return 128.0
    part = pixels[inside.slices]
    means = part.mean(axis=(0, 1), dtype=np.float64) / _unit(pixels)
    return float(means @ np.array(LUMA)) if means.size == _COLOURS else float(means[0])


def _unit(pixels: Pixels) -> int:
    """Return how many steps of a sample make an 8-bit level."""
    return 257 if pixels.dtype == np.uint16 else 1
