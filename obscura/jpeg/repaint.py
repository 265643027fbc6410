"""Fill the hidden areas of a finished JPEG again, from its pixels as another library decodes them.

A fill is a function of what is seen around it and of a tone, all of which the finished file contains. So the
hidden blocks of a file can be compared with what they are meant to be, without the original.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from obscura.imaging.formats import Buffer
from obscura.jpeg import parsing
from obscura.jpeg.colours import Colours
from obscura.jpeg.dct import coefficients
from obscura.jpeg.hidden_blocks import AreaBlocks, HiddenBlocks
from obscura.jpeg.patches import patches
from obscura.jpeg.smooth import Painted, by_blocks, enlarged, levels_of
from obscura.jpeg.structure import BLOCK_SIDE, Component, Frame
from obscura.redaction.masks import Window
from obscura.redaction.regions import Region
from obscura.redaction.styles import Soft

Samples = NDArray[np.float32]


class BlockErrors(NamedTuple):
    """How far the hidden blocks of one component in one area are from their fill.

    Attributes
    ----------
    is_brightness
        Whether the component carries brightness rather than a difference of colours.
    errors
        ``float32[blocks]``: root of the mean squared difference of each block, in levels.
    bounds
        ``float32[blocks]``: what quantisation explains of that. It moves a coefficient by half a step at
        most, and one that it makes 0 by that coefficient. The DCT of ITU-T T.81 A.3.3 is orthonormal, so by
        Parseval's theorem the squared error of a block is the sum of those of its coefficients.
    """

    is_brightness: bool
    errors: Samples
    bounds: Samples


class Decoded(NamedTuple):
    """A JPEG as decoded.

    Attributes
    ----------
    samples
        ``uint8[height, width, n]``, as stored: RGB, what four inks leave of red, green, blue and white, or
        the components of the file.
    are_components
        Whether they are the latter.
    """

    samples: NDArray[np.uint8]
    are_components: bool = False


def block_errors(
    data: Buffer, decoded: Decoded, regions: Sequence[Region], orientation: int, painted: Painted
) -> Iterator[BlockErrors]:
    """Yield the differences of the filled blocks of a finished file from their fill.

    Parameters
    ----------
    data
        The file.
    decoded
        The file as another library decodes it.
    regions
        Everything that was painted, in pixels of the upright picture.
    orientation
        EXIF orientation, 1..8.
    painted
        What `obscura.jpeg.splice.splice` returned for it.
    """
    structure = parsing.read(data)
    regions_with_tone = [
        replace(region, tone=painted.tones.get(index)) for index, region in enumerate(regions)
    ]
    frame, kind = structure.frame, Colours.of(structure)
    hidden = HiddenBlocks(frame, patches(frame, regions_with_tone, orientation))
    by_component = [hidden.of(component) for component in frame.components]
    steps = [np.array(quant.divisors, np.float32) for quant in structure.quants]
    for area in hidden.areas:
        near = hidden.in_mcus(area.box)
        planes = _planes(kind, decoded, frame, near)
        means = np.stack([_mean_by_mcu(plane, near) for plane in planes], axis=-1)
        seen = ~hidden.touched[near.slices]
        tones = {region.tone for region in area.regions}
        levels = levels_of(kind, means[seen], painted.colours, tones)
        for index, component in enumerate(frame.components):
            blocks = hidden.around(area, component, by_component[index])
            faces = [
                hidden.face(region, component, blocks, [levels[region.tone][index]])
                for region in area.regions
                if region.tone is not None and isinstance(region.style, Soft)
            ]
            fill = blocks.filled(_cells(planes[index], blocks), faces)[..., 0]
            expected = enlarged(fill, blocks).clip(0, 255)
            error = expected - planes[index]
            height, width = _within(frame, component)
            error[max(0, height - blocks.inside.y1 * BLOCK_SIDE) :] = 0
            error[:, max(0, width - blocks.inside.x1 * BLOCK_SIDE) :] = 0
            meant = coefficients(by_blocks(expected)[blocks.fillable], steps[index])
            yield BlockErrors(
                kind.is_brightness(index),
                _rms(by_blocks(error)[blocks.fillable]),
                _rms(np.minimum(np.abs(meant), 1 / 2) * steps[index]),
            )


def _rms(blocks: Samples) -> Samples:
    return np.asarray(np.sqrt(np.square(blocks).mean(axis=-1)), np.float32)


def _within(frame: Frame, component: Component) -> tuple[int, int]:
    """Return height and width of a component, in its own samples."""
    (width, height), mcu = frame.size, frame.mcu
    return (
        -(-height * component.v * BLOCK_SIDE // mcu.height),
        -(-width * component.h * BLOCK_SIDE // mcu.width),
    )


def _planes(kind: Colours, decoded: Decoded, frame: Frame, near: Window) -> list[Samples]:
    """Return the components of some MCUs, each at its own sampling; beyond the picture as at its edge."""
    mcu = frame.mcu
    height, width = (near.y2 - near.y1) * mcu.height, (near.x2 - near.x1) * mcu.width
    top, left = near.y1 * mcu.height, near.x1 * mcu.width
    here = decoded.samples[top : top + height, left : left + width]
    beyond = ((0, height - here.shape[0]), (0, width - here.shape[1]), (0, 0))
    samples = np.pad(here, beyond, mode="edge").astype(np.float32)
    planes = [*np.moveaxis(samples, -1, 0)] if decoded.are_components else kind.of_samples(samples)
    return [
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane, size in (
            (plane, (width * item.h * BLOCK_SIDE // mcu.width, height * item.v * BLOCK_SIDE // mcu.height))
            for plane, item in zip(planes, frame.components, strict=True)
        )
    ]


def _mean_by_mcu(plane: Samples, near: Window) -> Samples:
    rows, columns = near.y2 - near.y1, near.x2 - near.x1
    return np.asarray(plane.reshape(rows, -1, columns, plane.shape[1] // columns).mean(axis=(1, 3)))


def _cells(plane: Samples, blocks: AreaBlocks) -> Samples:
    """Return the cells of a window of blocks, ``float32[rows, columns, 1]``."""
    side = BLOCK_SIDE // blocks.across
    rows, columns = (count * blocks.across for count in blocks.seen.shape)
    return np.asarray(plane.reshape(rows, side, columns, side).mean(axis=(1, 3)))[..., None]
