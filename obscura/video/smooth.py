"""The styles `Soft` and `Fill` in the planes of a frame: the rim follows the frame, a face keeps its tone."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.redaction.areas import Area, areas_of
from obscura.redaction.fill import Cells, Weights, interpolated, shaded
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.regions import Region
from obscura.redaction.smooth import cells_of, coloured, core, enlarged, face_at
from obscura.redaction.tones import SCALE, chroma_of, tone_of
from obscura.video.planes import BITS_8, planes

Plane: TypeAlias = NDArray[Any]

FULL_RANGE: Final = 2
"""FFmpeg's number for samples that use all their values."""

_MIDDLE: Final = 128.0
_SAMPLED: Final = 64


class Range(NamedTuple):
    """How samples are coded (ITU-R BT.601-7 2.5.3): the level of black, the steps of luma and of colour."""

    black: float
    luma: float
    chroma: float


def range_of(frame: VideoFrame) -> Range:
    """Return how the samples of a frame are coded."""
    if int(frame.color_range) == FULL_RANGE or frame.format.name.startswith("yuvj"):
        return Range(0.0, 1.0, 1.0)
    return Range(16.0, 219 / 255, 224 / 255)


def tone_in(frame: VideoFrame, box: Box) -> int:
    """Return the tone of a face, ``box`` being its grown box in pixels of the stored frame."""
    luma, coding = next(planes(frame)), range_of(frame)
    inside = core(box, Size(luma.shape[1], luma.shape[0]))
    if inside.is_empty:
        return tone_of(_MIDDLE)
    return tone_of((float(luma[inside.slices].mean()) / _unit(frame, 0) - coding.black) / coding.luma)


def colours_of(frame: VideoFrame, hidden: Sequence[Box]) -> float:
    """Return how far the colours of a frame lie from grey outside of boxes in pixels of the stored frame."""
    levels = []
    for number, plane in enumerate(planes(frame)):
        if number == 0:
            continue
        seen = np.ones(plane.shape, np.bool_)
        for box in hidden:
            seen[_window(box, frame, plane).slices] = False
        every = (
            slice(None, None, max(1, plane.shape[0] // _SAMPLED)),
            slice(None, None, max(1, plane.shape[1] // _SAMPLED)),
        )
        levels.append(np.abs(plane[every][seen[every]] / _unit(frame, number) - _MIDDLE))
    return coloured(np.maximum(*levels).astype(np.float32)) if len(levels) == 2 else 0.0  # noqa: PLR2004 - Cb, Cr


def fill_frame(
    frame: VideoFrame, regions: Sequence[Region], others: Sequence[tuple[Box, Any]], colours: float
) -> None:
    """Fill regions from what lies around them, in place.

    Parameters
    ----------
    frame
        Planar, writable.
    regions
        In pixels of the stored frame; faces with their tones.
    others
        What is hidden otherwise, boxes with their outlines: it does not show in any fill.
    colours
        How far the colours of the video lie from grey.
    """
    views = [_View.of(frame, number, plane, regions, others) for number, plane in enumerate(planes(frame))]
    for area in areas_of(regions):
        parts = [view.part(area) for view in views]
        _fill(area, [part for part in parts if part is not None], range_of(frame), colours)


class _Part(NamedTuple):
    """An area in one plane: what it is filled in, and what its fill is made of."""

    view: "_View"
    inside: Window
    cell: int
    means: Cells
    seen: Weights


class _View(NamedTuple):
    """A plane of a frame.

    Attributes
    ----------
    plane
        Its samples.
    hidden
        Which of them are hidden.
    outlines
        The window of each region that lies in it, and which of its samples the region hides, by `id`.
    scale
        Samples per pixel of the frame, across and down.
    unit
        Steps of a sample per 8-bit level.
    """

    plane: Plane
    hidden: NDArray[np.bool_]
    outlines: dict[int, tuple[Window, NDArray[np.bool_]]]
    scale: tuple[float, float]
    unit: float

    @classmethod
    def of(
        cls,
        frame: VideoFrame,
        number: int,
        plane: Plane,
        regions: Sequence[Region],
        others: Sequence[tuple[Box, Any]],
    ) -> "_View":
        """Return a plane of a frame with what is hidden in it."""
        height, width = plane.shape
        scale = (width / frame.width, height / frame.height)
        hidden = np.zeros(plane.shape, np.bool_)
        outlines = {}
        for key, box, shape in (
            *((id(region), region.box, region.shape) for region in regions),
            *((0, box, shape) for box, shape in others),
        ):
            place = box.scale(*scale)
            inside = window(place, Size(width, height))
            if not inside.is_empty:
                outlines[key] = inside, mask(place, shape, inside)
                hidden[inside.slices] |= outlines[key][1]
        return cls(plane, hidden, outlines, scale, _unit(frame, number))

    def part(self, area: Area) -> _Part | None:
        """Return an area in this plane; None where it lies outside."""
        height, width = self.plane.shape
        inside = window(area.box.scale(*self.scale), Size(width, height))
        if inside.is_empty:
            return None
        cell = max(1, round(area.cell * min(self.scale)))
        here = self.plane[inside.slices][..., None]
        return _Part(self, inside, cell, *cells_of(here, self.hidden[inside.slices], cell, self.unit))


def _fill(area: Area, parts: Sequence[_Part], coding: Range, colours: float) -> None:
    """Fill an area in all planes, in place."""
    around = [_mean(part) for part in parts]
    cb, cr = (_MIDDLE + (level - _MIDDLE) / coding.chroma for level in (*around[1:3], _MIDDLE, _MIDDLE)[:2])
    for number, part in enumerate(parts):
        faces = []
        for region in area.regions:
            if region.tone is not None:
                chroma = chroma_of(region.tone, (cb, cr), colours)
                level = (
                    (SCALE[region.tone] * coding.luma, coding.black)
                    if number == 0
                    else (0.0, _MIDDLE + chroma[number - 1] * coding.chroma)
                )
                place = region.box.scale(*part.view.scale).shift(-part.inside.x1, -part.inside.y1)
                faces.append(face_at(region, place.scale(1 / part.cell, 1 / part.cell), (level,)))
        _lay(area, part, shaded(interpolated(part.means, part.seen), faces))


def _lay(area: Area, part: _Part, fill: Cells) -> None:
    """Write a fill where the regions of an area lie, in place."""
    plane, (x1, y1, x2, y2) = part.view.plane, part.inside
    levels = enlarged(fill, part.cell, Size(x2 - x1, y2 - y1))[..., 0] * np.float32(part.view.unit)
    samples = np.rint(levels).clip(0, 256 * part.view.unit - 1).astype(plane.dtype)
    for region in area.regions:
        if id(region) in part.view.outlines:
            own, covered = part.view.outlines[id(region)]
            here = samples[own.y1 - y1 : own.y2 - y1, own.x1 - x1 : own.x2 - x1]
            np.copyto(plane[own.slices], here, where=covered)


def _mean(part: _Part) -> float:
    total = float(part.seen.sum())
    return float((part.means[..., 0] * part.seen).sum()) / total if total else _MIDDLE


def _window(box: Box, frame: VideoFrame, plane: Plane) -> Window:
    height, width = plane.shape
    return window(box.scale(width / frame.width, height / frame.height), Size(width, height))


def _unit(frame: VideoFrame, number: int) -> float:
    """Return how many steps of a sample make an 8-bit level."""
    return 2.0 ** (frame.format.components[number].bits - BITS_8)
