"""Which blocks are replaced, and by what.

A region hides every MCU that its outline touches, as a whole. A hidden block keeps no AC coefficient; its DC
coefficient is eight times the mean level of its samples (ITU-T T.81 A.3.3), and becomes

- Mosaic: the mean of a cell of whole MCUs as `mosaic.contrast_reduced` leaves it; noise moves brightness
  alone. No cell is smaller than an MCU; a region has at most as many cells on its long side as the style
  says, and fewer where MCUs are large.
- Solid: its colour, or the mean of the MCUs around the region that are seen; the latter for every object
  smaller than `ONE_COLOUR_BELOW`.
- PixelNoise: as Mosaic, with stronger noise for every block in addition. Noise goes no finer than blocks: in
  pixels it would need AC coefficients, and those would make the file many times larger.
- Blur: the means of MCUs, smoothed over the region by a Gaussian. It is as coarse as MCUs are.

What is filled from around (`Soft`, `Fill`) is not done here: see `obscura.jpeg.smooth`.

A soft edge lies on the MCUs around those: they keep no AC coefficient either, and their means pass from the
region's colour to their own.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from obscura.jpeg.colours import MIDDLE, Colours
from obscura.jpeg.patches import Patch, Touched, by_block
from obscura.jpeg.structure import BLOCK_SIDE, Component, Structure
from obscura.redaction.masks import Window
from obscura.redaction.mosaic import PIXEL_NOISE, Entropy, Levels, border, contrast_reduced, noise
from obscura.redaction.styles import PixelNoise, Solid, Style

Plane: TypeAlias = NDArray[np.int16]
"""``int16[rows, columns]``: DC coefficients of a component, quantised, in whole MCUs."""

_LOWEST: Final = -128.0
_HIGHEST: Final = 127.0


def replaced(
    structure: Structure, planes: Sequence[Plane], covers: Sequence[Patch], touched: Touched, entropy: Entropy
) -> list[Plane]:
    """Return copies of the DC planes of all components with the blocks under ``covers`` replaced.

    What replaces them is computed from the planes as they came; where patches overlap, the last one shows,
    and a soft edge nowhere over what is hidden. ``touched`` are the MCUs of these and of all other patches.
    """
    fresh = [plane.copy() for plane in planes]
    kind = Colours.of(structure)
    # All components of a patch get the same noise, and colour differences none: it moves no hue.
    noises = [_Replayed(entropy) for _ in covers]
    for index, component in enumerate(structure.frame.components):
        share = kind.noise_share(index)
        step = structure.quants[index].divisors[0] / BLOCK_SIDE
        source = _Source(planes[index], component, step, touched)
        shown = [
            _levels(patch, source, share, drawn.again())
            if (colour := _colour_of(patch.style)) is None
            else np.full(patch.covered.shape, kind.of_rgb(colour)[index] - MIDDLE)
            for patch, drawn in zip(covers, noises, strict=True)
        ]
        for patch, levels in zip(covers, shown, strict=True):
            if patch.edge is not None:
                _soften(fresh[index], source, patch, levels)
        for patch, levels, drawn in zip(covers, shown, noises, strict=True):
            blocks = _to_blocks(levels, component)
            if isinstance(patch.style, PixelNoise):
                blocks = blocks + share * noise(blocks.shape, PIXEL_NOISE, drawn)
            _put(fresh[index][_blocks(patch.inside, component)], blocks, patch.covered, source)
    return fresh


class _Replayed:
    """Random bytes that can be read again from the first on."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._drawn = b""
        self._at = 0

    def again(self) -> "_Replayed":
        """Return to the first byte."""
        self._at = 0
        return self

    def __call__(self, count: int) -> bytes:
        """Return the next bytes, drawn where they have not been yet."""
        end = self._at + count
        if end > len(self._drawn):
            self._drawn += self._entropy(end - len(self._drawn))
        found = self._drawn[self._at : end]
        self._at = end
        return found


class _Source(NamedTuple):
    """A component as it came: its DC plane, the level that a step of it stands for, what is touched."""

    plane: Plane
    component: Component
    step: float
    touched: Touched


def _colour_of(style: Style) -> tuple[int, int, int] | None:
    """Return the colour that was asked for."""
    return style.colour if isinstance(style, Solid) else None


def _soften(fresh: Plane, source: _Source, patch: Patch, levels: Levels) -> None:
    """Let the levels of a patch pass into the blocks around it, in place."""
    if patch.edge is None:
        return
    around, share = patch.edge
    rows = np.arange(around.y1, around.y2).clip(patch.inside.y1, patch.inside.y2 - 1) - patch.inside.y1
    columns = np.arange(around.x1, around.x2).clip(patch.inside.x1, patch.inside.x2 - 1) - patch.inside.x1
    wide = _to_blocks(levels[rows[:, None], columns[None, :]], source.component)
    here = fresh[_blocks(around, source.component)]
    part = _to_blocks(share, source.component)
    _put(here, part * wide + (1.0 - part) * here * source.step, share > 0, source)


def _put(here: Plane, blocks: Levels, covered: Touched, source: _Source) -> None:
    """Write levels into the blocks of the covered MCUs, in place."""
    values = np.rint(blocks.clip(_LOWEST, _HIGHEST) / source.step).astype(np.int16)
    hidden = by_block(covered, source.component)
    here[hidden] = values[hidden]


def _to_blocks(levels: Levels, component: Component) -> Levels:
    return levels.repeat(component.v, axis=0).repeat(component.h, axis=1)


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


def _levels(patch: Patch, source: _Source, share: float, entropy: Entropy) -> Levels:
    """Return the mean level, -128..127, of each MCU of a patch; noise counts by its ``share``."""
    if isinstance(patch.style, Solid):
        return np.full(patch.covered.shape, _around(patch, source))
    sums, counts = _per_mcu(
        source.plane[_blocks(patch.inside, source.component)], source.component, patch.inside
    )
    sums = sums * source.step
    if patch.sigma is not None:
        return _smoothed(patch, sums, counts, patch.sigma)
    labels = patch.labels[patch.covered]
    size = int(patch.labels[-1, -1]) + 1
    totals = np.bincount(labels, sums[patch.covered], size)
    blocks = np.bincount(labels, counts[patch.covered], size)
    means = (totals / blocks.clip(min=1.0)).clip(_LOWEST, _HIGHEST)
    overall = np.array([totals.sum() / max(blocks.sum(), 1.0)])
    shown = contrast_reduced(means[:, None], overall, share, entropy)[:, 0]
    return np.asarray(shown[patch.labels], np.float64)


def _around(patch: Patch, source: _Source) -> float:
    """Return the mean level of the untouched MCUs around a patch; 0, mid-grey, where there are none."""
    height, width = source.touched.shape
    # Around its soft edge, too: that is touched as well.
    wide = border(patch.inside if patch.edge is None else patch.edge.around, patch.reach, 1)
    around = Window(wide.x1, wide.y1, min(wide.x2, width), min(wide.y2, height))
    sums, counts = _per_mcu(source.plane[_blocks(around, source.component)], source.component, around)
    seen = ~source.touched[around.slices]
    blocks = float(counts[seen].sum())
    return float(sums[seen].sum()) * source.step / blocks if blocks else 0.0


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
