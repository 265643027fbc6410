"""The styles `Soft` and `Fill` in a JPEG: hidden blocks are interpolated from those around, and coded again.

Of what a hidden block holds nothing is used but, for a face, the brightness of DC coefficients, which chooses
one of eight tones. So the file that comes out is a function of the untouched blocks and of three bits per
face. Hidden blocks get all the coefficients that their fill has, in steps of the source's own quantisation
tables.

Each component is worked on at its own sampling, in cells of a block's eighth, quarter, half or whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Size
from obscura.jpeg.colours import Colours
from obscura.jpeg.dct import Coefficients, cell_means, coefficients
from obscura.jpeg.hidden_blocks import AreaBlocks, HiddenBlocks, Levels
from obscura.jpeg.patches import Touched, by_block
from obscura.jpeg.structure import BLOCK_SIDE, Component, Structure
from obscura.redaction.areas import Area
from obscura.redaction.fill import Cells
from obscura.redaction.regions import Region
from obscura.redaction.smooth import coloured, core
from obscura.redaction.styles import Soft
from obscura.redaction.tones import chroma_of, tone_of

_MIDDLE: Final = 128.0
_SAMPLED: Final = 128
"""MCUs on a side of the sample that tells whether a picture has colours."""


@dataclass(frozen=True, slots=True)
class Painted:
    """What a painting took from the picture.

    Attributes
    ----------
    tones
        By the number of a region, the tone of its face: all that was taken from what is hidden.
    colours
        How far the colours of what is seen lie from grey, in levels.
    """

    tones: Mapping[int, int] = field(default_factory=dict)
    colours: float = 0.0


class SmoothPainter:
    """Paints the hidden blocks of a file."""

    def __init__(self, structure: Structure, hidden: HiddenBlocks) -> None:
        self._structure = structure
        self._frame = structure.frame
        self._hidden = hidden
        self._kind = Colours.of(structure)
        self._divisors = [np.array(quant.divisors, np.float32) for quant in structure.quants]

    def paint(self, values: Sequence[Coefficients], planes: Sequence[NDArray[np.int16]]) -> Painted:
        """Write the hidden blocks, in place.

        Parameters
        ----------
        values
            ``int16[rows, columns, 64]`` by component: as they came wherever `HiddenBlocks.wanted` says.
        planes
            DC coefficients as they came, by component.
        """
        if not self._hidden.patches:
            return Painted()
        colours = self._colours(planes)
        layers = self._layers()
        tones = dict[Region, int]()
        for area in self._hidden.areas:
            regions_with_tone = [self._with_tone(region, planes) for region in area.regions]
            tones |= {
                region: done.tone
                for region, done in zip(area.regions, regions_with_tone, strict=True)
                if done.tone is not None
            }
            levels = self._levels(area, planes, colours, {done.tone for done in regions_with_tone})
            for layer in layers:
                self._paint_area(values, layer, area, regions_with_tone, levels)
        for part, component in zip(values, self._frame.components, strict=True):
            self._fill_up(part, component)
        patches = self._hidden.patches
        return Painted({p.number: tones[p.region] for p in patches if p.region in tones}, colours)

    def _colours(self, planes: Sequence[NDArray[np.int16]]) -> float:
        """Return how far the colours of what is seen lie from grey."""
        mcus = self._frame.mcus
        every = (slice(None, None, max(1, side // _SAMPLED)) for side in (mcus.height, mcus.width))
        here = tuple(every)
        far = np.abs(self._kind.chroma(self._means(planes, *here)) - _MIDDLE).max(axis=-1)
        return coloured(far[~self._hidden.touched[here]].astype(np.float32))

    def _means(self, planes: Sequence[NDArray[np.int16]], rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return the mean level, 0..255, of each component in some MCUs, ``float64[rows, columns, n]``."""
        mcus, means = self._frame.mcus, []
        for plane, component, divisors in zip(planes, self._frame.components, self._divisors, strict=True):
            v, h = component.v, component.h
            blocks = plane.reshape(mcus.height, v, mcus.width, h)[rows, :, columns]
            step = float(divisors[0]) / BLOCK_SIDE / (v * h)
            means.append(blocks.sum(axis=(1, 3), dtype=np.int64) * step + _MIDDLE)
        return np.stack(means, axis=-1)

    def _levels(
        self, area: Area, planes: Sequence[NDArray[np.int16]], colours: float, tones: Iterable[int | None]
    ) -> dict[int, Levels]:
        """Return the levels by component of each tone in an area."""
        here = self._hidden.in_mcus(area.box).slices
        seen = ~self._hidden.touched[here]
        return levels_of(self._kind, self._means(planes, *here)[seen], colours, tones)

    def _layers(self) -> list["_Layer"]:
        """Return the components by their sampling: those of one sampling are filled together."""
        groups = dict[tuple[int, int], list[int]]()
        for index, component in enumerate(self._frame.components):
            groups.setdefault((component.h, component.v), []).append(index)
        firsts = [(self._frame.components[indices[0]], tuple(indices)) for indices in groups.values()]
        return [_Layer(first, indices, self._hidden.of(first)) for first, indices in firsts]

    def _with_tone(self, region: Region, planes: Sequence[NDArray[np.int16]]) -> Region:
        """Return a region with its tone, chosen by the blocks in the middle of it."""
        if region.tone is not None or not isinstance(region.style, Soft):
            return region
        first = self._frame.components[0]
        if self._kind in {Colours.GREY, Colours.YCC}:
            inside = core(self._hidden.in_blocks(region.box, first), Size(first.columns, first.rows))
            luma = planes[0][inside.slices] * (float(self._divisors[0][0]) / BLOCK_SIDE) + _MIDDLE
        else:
            mcu = self._frame.mcu
            inside = core(region.box.scale(1 / mcu.width, 1 / mcu.height), self._frame.mcus)
            luma = self._kind.luma(self._means(planes, *inside.slices))
        return replace(region, tone=tone_of(float(luma.mean()) if luma.size else _MIDDLE))

    def _paint_area(
        self,
        values: Sequence[Coefficients],
        layer: "_Layer",
        area: Area,
        regions_with_tone: Sequence[Region],
        levels: Mapping[int, Levels],
    ) -> None:
        """Write the hidden blocks of an area in the components of a layer, in place."""
        blocks = self._hidden.around(area, layer.component, layer.hidden)
        here = [values[index][blocks.inside.slices] for index in layer.indices]
        divisors = [self._divisors[index] for index in layer.indices]
        means = [_seen_means(*item, blocks) for item in zip(here, divisors, strict=True)]
        faces = [
            self._hidden.face(
                region, layer.component, blocks, [levels[region.tone][index] for index in layer.indices]
            )
            for region in regions_with_tone
            if region.tone is not None
        ]
        fill = blocks.filled(np.stack(means, axis=-1), faces)
        share = np.zeros(blocks.seen.shape)
        if any(region.feather for region in area.regions):
            share = self._feather(area, layer.component)[blocks.inside.slices]
        soft = blocks.blended & (share > 0)
        for place, (part, steps) in enumerate(zip(here, divisors, strict=True)):
            samples = by_blocks(enlarged(fill[..., place], blocks))
            if soft.any():
                mixed = coefficients(samples[soft], steps) - part[soft]
                part[soft] = np.rint(part[soft] + share[soft][:, None] * mixed).astype(np.int16)
            part[blocks.fillable] = np.rint(coefficients(samples[blocks.fillable], steps)).astype(np.int16)

    def _feather(self, area: Area, component: Component) -> NDArray[np.float64]:
        """Return by block how much of its fill a soft edge gives it."""
        share = np.zeros((self._frame.mcus.height, self._frame.mcus.width))
        regions = set(area.regions)
        for patch in self._hidden.patches:
            if patch.edge is not None and patch.region in regions:
                here = share[patch.edge.around.slices]
                np.maximum(here, patch.edge.share, out=here)
        return np.asarray(share.repeat(component.v, axis=0).repeat(component.h, axis=1), np.float64)

    def _fill_up(self, values: Coefficients, component: Component) -> None:
        """Make the blocks that only fill up touched MCUs anew: encoders copy what is hidden into them."""
        rows, columns = component.rows, component.columns
        beyond = values[:, columns:]
        right = by_block(self._hidden.touched[:, -1:], component)[:, component.h - beyond.shape[1] :]
        beyond[right] = 0
        beyond[..., 0] = np.where(right, values[:, columns - 1 : columns, 0], beyond[..., 0])
        beyond = values[rows:]
        below = by_block(self._hidden.touched[-1:], component)[component.v - len(beyond) :]
        beyond[below] = 0
        beyond[..., 0] = np.where(below, values[rows - 1 : rows, :, 0], beyond[..., 0])


class _Layer(NamedTuple):
    """Components of one sampling: the first, their places in the frame, which of their blocks are hidden."""

    component: Component
    indices: tuple[int, ...]
    hidden: Touched


def levels_of(
    kind: Colours, around: NDArray[Any], colours: float, tones: Iterable[int | None]
) -> dict[int, Levels]:
    """Return the levels by component of tones, given the mean levels of the MCUs that are seen around."""
    chroma = kind.chroma(around)
    cb, cr = chroma.mean(axis=0).tolist() if len(chroma) else (_MIDDLE, _MIDDLE)
    return {tone: kind.tone(tone, chroma_of(tone, (cb, cr), colours)) for tone in tones if tone is not None}


def enlarged(plane: NDArray[np.float32], blocks: AreaBlocks) -> NDArray[np.float32]:
    """Return one component of a fill in samples, ``float32[8 * rows, 8 * columns]``."""
    rows, columns = blocks.seen.shape
    size = (columns * BLOCK_SIDE, rows * BLOCK_SIDE)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32)


def by_blocks(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples, ``float32[8 * rows, 8 * columns]``, block by block, ``float32[rows, columns, 64]``."""
    rows, columns = (side // BLOCK_SIDE for side in samples.shape)
    parts = samples.reshape(rows, BLOCK_SIDE, columns, BLOCK_SIDE).swapaxes(1, 2)
    return parts.reshape(rows, columns, BLOCK_SIDE * BLOCK_SIDE)


def _seen_means(values: Coefficients, divisors: NDArray[np.float32], blocks: AreaBlocks) -> Cells:
    """Return the cells of the blocks that are seen, ``float32[rows, columns]``; 0 elsewhere."""
    (rows, columns), across = blocks.seen.shape, blocks.across
    means = np.zeros((rows, columns, across, across), np.float32)
    means[blocks.seen] = cell_means(values[blocks.seen], divisors, across)
    return means.swapaxes(1, 2).reshape(rows * across, columns * across)
