"""Which blocks of a JPEG the smooth styles hide, and the areas that are filled together.

A block that an outline touches is hidden as a whole. Each component is worked on at its own sampling.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from obscura.geometry import Box, Size
from obscura.jpeg.patches import Patch, Touched, by_block, touched_mcus
from obscura.jpeg.structure import BLOCK_SIDE, Component, Frame
from obscura.redaction.areas import Area, areas_of
from obscura.redaction.fill import Cells, Face, interpolated, shaded
from obscura.redaction.masks import Window, mask, window
from obscura.redaction.regions import Region
from obscura.redaction.smooth import face_at
from obscura.redaction.styles import Fill, Soft, Solid

Levels: TypeAlias = Sequence[tuple[float, float]]
"""By channel, what a tone's shading is multiplied by and what is added: see `fill.Face.tones`."""


def is_smooth(patch: Patch) -> bool:
    """Whether a patch is filled from around."""
    return isinstance(patch.style, Soft | Fill)


class AreaBlocks(NamedTuple):
    """The blocks of one component in and around an area.

    Attributes
    ----------
    inside
        Where they lie, in blocks.
    seen, blended, fillable
        ``bool[rows, columns]``: those that show the picture as it came, those in soft edges, and those that
        the area's regions hide and no solid colour covers.
    across
        Cells on a side of a block.
    """

    inside: Window
    seen: Touched
    blended: Touched
    fillable: Touched
    across: int

    def filled(self, means: Cells, faces: Sequence[Face]) -> Cells:
        """Return the fill by cell; ``means`` holds those of what is seen, anything elsewhere."""
        weights = np.asarray(self.seen.repeat(self.across, axis=0).repeat(self.across, axis=1), np.float32)
        return shaded(interpolated(means, weights), faces)


class HiddenBlocks:
    """The blocks that patches hide; those of the smooth styles, with what they are filled from.

    Parameters
    ----------
    frame
        Of the file.
    covers
        All patches, of other styles as well: nothing that any of them touches is shown in a fill.

    Attributes
    ----------
    patches, others
        Those of the smooth styles, and those of others.
    areas
        What is filled together.
    touched
        ``bool[mcus.height, mcus.width]``: the MCUs that any patch changes.
    """

    def __init__(self, frame: Frame, covers: Sequence[Patch]) -> None:
        self._frame = frame
        self.patches = [patch for patch in covers if is_smooth(patch)]
        self.others = [patch for patch in covers if not is_smooth(patch)]
        self._others = touched_mcus(frame, self.others)
        self._solid = touched_mcus(
            frame, [replace(patch, edge=None) for patch in self.others if isinstance(patch.style, Solid)]
        )
        self.touched = touched_mcus(frame, covers)
        self._edges = np.zeros_like(self.touched)
        for patch in self.patches:
            if patch.edge is not None:
                self._edges[patch.edge.around.slices] |= patch.edge.share > 0
        self.areas = areas_of([patch.region for patch in self.patches], max(frame.mcu))
        self._masks = dict[tuple[int, int], list[tuple[Region, Window, Touched]]]()

    def wanted(self) -> Touched:
        """Return ``bool[mcus.height, mcus.width]``: of which MCUs all coefficients are needed."""
        wanted = self.touched.copy()
        for area in self.areas:
            wanted[self.in_mcus(area.box).slices] = True
        return wanted

    def of(self, component: Component) -> Touched:
        """Return ``bool[rows, columns]``: the blocks of a component that are hidden."""
        mcus = self._frame.mcus
        hidden = np.zeros((mcus.height * component.v, mcus.width * component.h), np.bool_)
        for _, inside, covered in self._outlines(component):
            hidden[inside.slices] |= covered
        return hidden

    def count(self) -> int:
        """Return how many blocks are replaced, without those that only fill up MCUs."""
        whole = touched_mcus(self._frame, [*self.others, *(patch for patch in self.patches if patch.edge)])
        return sum(
            int((by_block(whole, item) | self.of(item))[: item.rows, : item.columns].sum())
            for item in self._frame.components
        )

    def around(self, area: Area, component: Component, hidden: Touched) -> AreaBlocks:
        """Return the blocks in and around an area, ``hidden`` being all that are hidden of the component."""
        near = self.in_mcus(area.box)
        h, v = component.h, component.v
        inside = Window(near.x1 * h, near.y1 * v, near.x2 * h, near.y2 * v)
        shown = ~(by_block(self._others[near.slices], component) | hidden[inside.slices])
        shown[max(0, component.rows - inside.y1) :] = False
        shown[:, max(0, component.columns - inside.x1) :] = False
        blended = shown & by_block(self._edges[near.slices], component)
        own = np.zeros(shown.shape, np.bool_)
        regions = frozenset(area.regions)
        for region, place, covered in self._outlines(component):
            if region in regions:
                at = (place.y1 - inside.y1, place.x1 - inside.x1)
                own[at[0] : at[0] + covered.shape[0], at[1] : at[1] + covered.shape[1]] |= covered
        fillable = own & ~by_block(self._solid[near.slices], component)
        return AreaBlocks(
            inside, shown & ~blended, blended, fillable, self._cells_across(component, area.cell)
        )

    def face(self, region: Region, component: Component, blocks: AreaBlocks, levels: Levels) -> Face:
        """Return a face in the cells of an area, given its tone's levels."""
        place = self.in_blocks(region.box, component).shift(-blocks.inside.x1, -blocks.inside.y1)
        return face_at(region, place.scale(blocks.across, blocks.across), levels)

    def in_mcus(self, box: Box) -> Window:
        """Return the MCUs that a box in pixels touches."""
        mcu = self._frame.mcu
        return window(box.scale(1 / mcu.width, 1 / mcu.height), self._frame.mcus)

    def in_blocks(self, box: Box, component: Component) -> Box:
        """Return a box in pixels in blocks of a component."""
        mcu = self._frame.mcu
        return box.scale(component.h / mcu.width, component.v / mcu.height)

    def _outlines(self, component: Component) -> list[tuple[Region, Window, Touched]]:
        """Return of each region the blocks of a component around it, and those that its outline touches."""
        key = (component.h, component.v)
        if key not in self._masks:
            mcus = self._frame.mcus
            size = Size(mcus.width * component.h, mcus.height * component.v)
            places = [(patch.region, self.in_blocks(patch.region.box, component)) for patch in self.patches]
            windows = [(region, place, window(place, size)) for region, place in places]
            self._masks[key] = [
                (region, inside, mask(place, region.shape, inside))
                for region, place, inside in windows
                if not inside.is_empty
            ]
        return self._masks[key]

    def _cells_across(self, component: Component, cell: int) -> int:
        """Return how many cells of at least ``cell`` pixels a block has across."""
        side = min(self._frame.mcu.width // component.h, self._frame.mcu.height // component.v)
        across = 1
        while across < BLOCK_SIDE and side // (2 * across) >= cell:
            across *= 2
        return across
