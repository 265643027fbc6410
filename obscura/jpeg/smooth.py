"""The styles `Soft` and `Fill` in a JPEG: hidden blocks are interpolated from those around, and coded again.

A block that an outline touches is hidden as a whole: of what it holds nothing is used but, for a face, the
brightness of DC coefficients, which chooses one of eight tones. So the file that comes out is a function of
the untouched blocks and of three bits per face. Hidden blocks get all the coefficients that their fill has,
in steps of the source's own quantisation tables.

Each component is worked on at its own sampling, in cells of a block's eighth, quarter, half or whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Box, Size
from obscura.jpeg.colours import Colours
from obscura.jpeg.dct import Coefficients, cell_means, coefficients
from obscura.jpeg.patches import Patch, Touched, by_block, touched_mcus
from obscura.jpeg.structure import BLOCK_SIDE, Component, Structure
from obscura.redaction.areas import Area, areas_of
from obscura.redaction.fill import Cells, Face, interpolated, shaded
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.regions import Region
from obscura.redaction.smooth import coloured, core, face_at
from obscura.redaction.styles import Fill, Soft, Solid
from obscura.redaction.tones import chroma_of, tone_of

_MIDDLE: Final = 128.0


def is_smooth(patch: Patch) -> bool:
    """Whether a patch is filled from around."""
    return isinstance(patch.style, Soft | Fill)


class SmoothCovers:
    """The patches of a file that are filled from around.

    Parameters
    ----------
    structure
        The file's.
    covers
        All patches, of other styles as well: nothing that any of them touches is ever shown.
    """

    def __init__(self, structure: Structure, covers: Sequence[Patch]) -> None:
        self._structure = structure
        self._frame = structure.frame
        self._patches = [patch for patch in covers if is_smooth(patch)]
        self._others = touched_mcus(self._frame, [p for p in covers if not is_smooth(p)])
        self._solid = touched_mcus(
            self._frame, [replace(p, edge=None) for p in covers if isinstance(p.style, Solid)]
        )
        self._touched = touched_mcus(self._frame, covers)
        reach = max(self._frame.mcu)
        self._areas = areas_of([patch.region for patch in self._patches], reach)

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self._patches

    def wanted(self) -> Touched:
        """Return ``bool[mcus.height, mcus.width]``: of which MCUs all coefficients are needed."""
        wanted = self._touched.copy()
        for area in self._areas:
            wanted[self._in_mcus(area.box).slices] = True
        return wanted

    def hidden(self, component: Component) -> Touched:
        """Return ``bool[rows, columns]``: the blocks of a component that smooth patches hide."""
        mcus = self._frame.mcus
        hidden = np.zeros((mcus.height * component.v, mcus.width * component.h), np.bool_)
        for patch in self._patches:
            place = self._in_blocks(patch.region.box, component)
            inside = window(place, Size(*hidden.shape[::-1]))
            if not inside.is_empty:
                hidden[inside.slices] |= mask(place, patch.region.shape, inside)
        return hidden

    def paint(self, values: Sequence[Coefficients], planes: Sequence[NDArray[np.int16]]) -> dict[int, int]:
        """Write the hidden blocks, in place; return the tone of each face by the number of its region.

        Parameters
        ----------
        values
            ``int16[rows, columns, 64]`` by component: as they came wherever `wanted` says.
        planes
            DC coefficients as they came, by component.
        """
        kind = Colours.of(self._structure)
        means = self._mcu_means(planes)
        chroma = kind.chroma(means)
        far = np.abs(chroma[~self._touched] - _MIDDLE).max(axis=1, initial=0.0)
        colours = coloured(far.astype(np.float32))
        layers = self._layers()
        tones = dict[Region, int]()
        for area in self._areas:
            contrast_reduced = [self._with_tone(region, kind, means, planes) for region in area.regions]
            here = self._in_mcus(area.box).slices
            around = chroma[here][~self._touched[here]]
            cb, cr = around.mean(axis=0).tolist() if len(around) else (_MIDDLE, _MIDDLE)
            shown = {
                region.tone: kind.tone(region.tone, chroma_of(region.tone, (cb, cr), colours))
                for region in contrast_reduced
                if region.tone is not None
            }
            for layer in layers:
                levels = {tone: [found[index] for index in layer.indices] for tone, found in shown.items()}
                self._paint_area(values, layer, area, contrast_reduced, levels)
            tones |= {
                region: done.tone
                for region, done in zip(area.regions, contrast_reduced, strict=True)
                if done.tone is not None
            }
        for part, component in zip(values, self._frame.components, strict=True):
            self._fill_up(part, component)
        return {patch.number: tones[patch.region] for patch in self._patches if patch.region in tones}

    def _fill_up(self, values: Coefficients, component: Component) -> None:
        """Make the blocks that only fill up touched MCUs anew: encoders copy what is hidden into them."""
        touched = by_block(self._touched, component)
        rows, columns = component.rows, component.columns
        right, below = touched[:, columns:], touched[rows:]
        values[:, columns:][right] = 0
        values[:, columns:, 0] = np.where(right, values[:, columns - 1 : columns, 0], values[:, columns:, 0])
        values[rows:][below] = 0
        values[rows:, :, 0] = np.where(below, values[rows - 1 : rows, :, 0], values[rows:, :, 0])

    def _layers(self) -> list["_Layer"]:
        """Return the components by their sampling: those of one sampling are filled together."""
        groups = dict[tuple[int, int], list[int]]()
        for index, component in enumerate(self._frame.components):
            groups.setdefault((component.h, component.v), []).append(index)
        return [self._layer(indices) for indices in groups.values()]

    def _layer(self, indices: Sequence[int]) -> "_Layer":
        component = self._frame.components[indices[0]]
        hidden = self.hidden(component)
        seen = ~by_block(self._others, component) & ~hidden
        seen[component.rows :] = False
        seen[:, component.columns :] = False
        divisors = [np.array(self._structure.quants[index].divisors, np.float32) for index in indices]
        fillable = hidden & ~by_block(self._solid, component)
        return _Layer(component, tuple(indices), tuple(divisors), seen, fillable)

    def _in_mcus(self, box: Box) -> Window:
        mcu = self._frame.mcu
        return window(box.scale(1 / mcu.width, 1 / mcu.height), self._frame.mcus)

    def _in_blocks(self, box: Box, component: Component) -> Box:
        mcu = self._frame.mcu
        return box.scale(component.h / mcu.width, component.v / mcu.height)

    def _mcu_means(self, planes: Sequence[NDArray[np.int16]]) -> NDArray[np.float64]:
        """Return the mean level, 0..255, of each component in each MCU."""
        mcus = self._frame.mcus
        means = np.empty((mcus.height, mcus.width, len(planes)))
        for index, (component, plane) in enumerate(zip(self._frame.components, planes, strict=True)):
            blocks = plane.reshape(mcus.height, component.v, mcus.width, component.h)
            step = self._structure.quants[index].divisors[0] / BLOCK_SIDE / (component.h * component.v)
            means[..., index] = blocks.sum(axis=(1, 3)) * step + _MIDDLE
        return means

    def _with_tone(
        self,
        region: Region,
        kind: Colours,
        means: NDArray[np.float64],
        planes: Sequence[NDArray[np.int16]],
    ) -> Region:
        """Return a region with its tone, chosen by the blocks in the middle of it."""
        if region.tone is not None or not isinstance(region.style, Soft):
            return region
        first = self._frame.components[0]
        if kind in {Colours.GREY, Colours.YCC}:
            inside = core(self._in_blocks(region.box, first), Size(first.columns, first.rows))
            step = self._structure.quants[0].divisors[0] / BLOCK_SIDE
            luma = planes[0][inside.slices] * step + _MIDDLE
        else:
            mcu = self._frame.mcu
            inside = core(region.box.scale(1 / mcu.width, 1 / mcu.height), self._frame.mcus)
            luma = kind.luma(means[inside.slices])
        return replace(region, tone=tone_of(float(luma.mean()) if luma.size else _MIDDLE))

    def _paint_area(
        self,
        values: Sequence[Coefficients],
        layer: "_Layer",
        area: Area,
        contrast_reduced: Sequence[Region],
        levels: Mapping[int, Sequence[tuple[float, float]]],
    ) -> None:
        """Write the hidden blocks of an area in the components of a layer, in place."""
        component = layer.component
        near = self._in_mcus(area.box)
        inside = Window(
            near.x1 * component.h, near.y1 * component.v, near.x2 * component.h, near.y2 * component.v
        )
        seen = layer.seen[inside.slices]
        across = self._cells_across(component, area.cell)
        here = [values[index][inside.slices] for index in layer.indices]
        means = [cell_means(*item, across) for item in zip(here, layer.divisors, strict=True)]
        weights = np.asarray(seen.repeat(across, axis=0).repeat(across, axis=1), np.float32)
        faces = [
            self._face(region, component, inside, across, levels[region.tone])
            for region in contrast_reduced
            if region.tone is not None
        ]
        fresh = _Blocks(shaded(interpolated(_joined(means), weights), faces))
        soft = np.zeros_like(seen)
        if any(region.feather for region in area.regions):
            feathered = self._feather(area, component)[inside.slices]
            soft = seen & (feathered > 0)
        own = layer.hidden[inside.slices] & self._own(area, component, inside)
        for place, (part, divisors) in enumerate(zip(here, layer.divisors, strict=True)):
            if soft.any():
                mixed = fresh.where(soft, place, divisors) - part[soft]
                part[soft] = np.rint(part[soft] + feathered[soft][:, None] * mixed).astype(np.int16)
            part[own] = np.rint(fresh.where(own, place, divisors)).astype(np.int16)

    def _own(self, area: Area, component: Component, inside: Window) -> Touched:
        """Return the blocks in a window that the regions of an area hide."""
        own = np.zeros((inside.y2 - inside.y1, inside.x2 - inside.x1), np.bool_)
        for region in area.regions:
            own |= mask(self._in_blocks(region.box, component), region.shape, inside)
        return own

    def _feather(self, area: Area, component: Component) -> NDArray[np.float64]:
        """Return by block how much of its fill a soft edge gives it."""
        share = np.zeros((self._frame.mcus.height, self._frame.mcus.width))
        regions = set(area.regions)
        for patch in self._patches:
            if patch.edge is not None and patch.region in regions:
                here = share[patch.edge.around.slices]
                np.maximum(here, patch.edge.share, out=here)
        return np.asarray(share.repeat(component.v, axis=0).repeat(component.h, axis=1), np.float64)

    def _cells_across(self, component: Component, cell: int) -> int:
        """Return how many cells of at least ``cell`` pixels a block has across."""
        side = min(self._frame.mcu.width // component.h, self._frame.mcu.height // component.v)
        across = 1
        while across < BLOCK_SIDE and side // (2 * across) >= cell:
            across *= 2
        return across

    def _face(
        self,
        region: Region,
        component: Component,
        inside: Window,
        across: int,
        levels: Sequence[tuple[float, float]],
    ) -> Face:
        """Return a face in the cells of a window of blocks."""
        place = self._in_blocks(region.box, component).shift(-inside.x1, -inside.y1)
        return face_at(region, place.scale(across, across), levels)


class _Layer(NamedTuple):
    """Components of one sampling.

    Attributes
    ----------
    component
        The first of them.
    indices, divisors
        Their places in the frame, and their quantisation tables.
    seen, hidden
        ``bool[rows, columns]``: the blocks that show the picture, and those that smooth patches fill.
    """

    component: Component
    indices: tuple[int, ...]
    divisors: tuple[NDArray[np.float32], ...]
    seen: Touched
    hidden: Touched


class _Blocks:
    """A fill over a window of blocks, to be turned into coefficients where it is needed."""

    def __init__(self, fill: Cells) -> None:
        self._fill = fill

    def where(self, blocks: Touched, channel: int, divisors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``float32[n, 64]``: the coefficients of some blocks of the window, not rounded."""
        rows, columns = blocks.shape
        plane, size = self._fill[..., channel], (columns * BLOCK_SIDE, rows * BLOCK_SIDE)
        samples = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32)
        parts = samples.reshape(rows, BLOCK_SIDE, columns, BLOCK_SIDE).swapaxes(1, 2)[blocks]
        return coefficients(parts.reshape(-1, BLOCK_SIDE * BLOCK_SIDE), divisors)


def _joined(components: Sequence[NDArray[np.float32]]) -> Cells:
    """Return the cells of blocks, ``float32[rows, columns, n, n]`` by component, as channels."""
    rows, columns, across, _ = components[0].shape
    planes = [part.swapaxes(1, 2).reshape(rows * across, columns * across) for part in components]
    return np.ascontiguousarray(np.stack(planes, axis=-1))
