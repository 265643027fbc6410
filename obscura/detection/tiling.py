"""Plan the inference slices of a photo and their scales.

A network detects an object reliably when it has some twenty pixels in the network's input. One slice at a
fixed size misses the small objects of a large photo; these plans trade time against that loss.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from obscura.contract import Quality
from obscura.geometry import Size

__all__ = [
    "PROPOSAL_SIZES",
    "Edges",
    "InferenceScales",
    "InferenceSlice",
    "Quality",
    "Region",
    "is_panorama",
    "plan_auxiliary",
    "plan_full_detector",
    "plan_probe",
    "plan_slices",
    "plan_whole",
    "wrap_width",
]

MAX_SLICE_SIDE = 1280
"""Longest side of a network's input, in pixels."""

OVERVIEW_SIDE = 640
"""Long side of the one slice that shows the whole of a tiled photo. It finds objects larger than the overlap
of the tiles; these are large enough in the overview."""

OWN_SIZE_RATIO = 1.25
"""A slice at least so many times longer than the model's input size is joined by one at the input size:
objects that are large in the first are missed there more often, and boxes found twice become tighter."""

WHOLE_SCALE = 0.75
"""Input pixels per photo pixel below which `Quality.BALANCED` divides the photo into tiles: two megapixels
stay in one slice."""

OVERLAP = 160
"""Input pixels that neighbouring tiles share. An object of 160 input pixels in a tile of a 4000
pixel photo has 20 or more in the overview: what the network needs."""

PROPOSAL_SIDE = 960
"""Long side in pixels to which a small photo is enlarged for the proposal network, at most
`PROPOSAL_ENLARGEMENT` times. AP50 of faces, then recall of those under 16 pixels at 1 false box per photo,
with re-scoring windows: 0.898 and 0.82 at 640, 0.937 and 0.93 at 960, 0.919 and 0.93 at 1280."""

PROPOSAL_ENLARGEMENT = 2.0

AUXILIARY_ENLARGEMENT = 1.5
"""How many times a small photo is enlarged for the auxiliary network, up to `PROPOSAL_SIDE`. AP50 of YuNet-n
alone at 1, 1.5 and 2 times: 0.889, 0.943, 0.919 (validation), 0.631, 0.730, 0.741 (labelled by people)."""

PROBE_SIDE = 256
"""Side in input pixels of the small copy in which the proposal network sees a photo turned."""

PROPOSAL_SIZES = frozenset(
    size for short in (384, 448, 480, 640) for size in (Size(640, short), Size(short, 640))
) | {Size(PROBE_SIDE, PROBE_SIDE)}
"""Input sizes of the proposal network for photos of the usual aspect ratios: 16:9, 3:2, 4:3 and square, in
both orientations; and for the small copy of any photo."""

PANORAMA_MIN_WIDTH = 2048
PANORAMA_WRAP = 8


class Region(NamedTuple):
    """A part of a photo, in whole pixels, ``right`` and ``bottom`` exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.right - self.left, self.bottom - self.top)


class Edges(NamedTuple):
    """Which edges of a region lie inside the photo (the others are the photo's own)."""

    left: bool
    top: bool
    right: bool
    bottom: bool


@dataclass(frozen=True, slots=True)
class InferenceScales:
    """The scales at which a model runs over a photo.

    Attributes
    ----------
    input_side
        Long side, in pixels, of the pictures it was trained on: the size of `Quality.FAST`.
    detail_side
        Long side, in pixels, up to which `Quality.BALANCED` and `Quality.THOROUGH` enlarge a small photo:
        up to there recall of small objects grows and boxes become tighter; beyond, false boxes grow faster.
    enlargement
        How many times a small photo may be enlarged at most.
    tile_scale
        Input pixels per photo pixel in tiles.
    has_proposals
        Whether there is a proposal network.
    """

    input_side: int = 640
    detail_side: int = 640
    enlargement: float = 1.0
    tile_scale: float = 1.0
    has_proposals: bool = False


@dataclass(frozen=True, slots=True)
class InferenceSlice:
    """The part of a photo, at one scale, that a network sees in one run.

    Attributes
    ----------
    region
        The part of the photo, in pixels.
    long_side
        Length in input pixels to which the region's longer side is scaled.
    inner_edges
        The region's edges that lie inside the photo.
    mirrored
        Whether the network sees the region left-right reversed.
    is_proposal
        Whether the proposal network runs over it.
    is_auxiliary
        Whether the auxiliary network runs over it.
    is_square
        Whether the input is padded to a square, the same for photos of all aspect ratios, turned or not.
    """

    region: Region
    long_side: int
    inner_edges: Edges
    mirrored: bool = False
    is_proposal: bool = False
    is_auxiliary: bool = False
    is_square: bool = False

    @property
    def scaled(self) -> Size:
        """The region's size in input pixels."""
        return self.region.size.scaled_to(self.long_side)


def plan_slices(size: Size, quality: Quality, scales: InferenceScales) -> tuple[InferenceSlice, ...]:
    """Return the inference slices of a photo of ``size`` pixels.

    - ``RAPID``: one slice at the model's own input size, by the proposal network where there is one.
    - ``FAST``: one slice at the model's own input size.
    - ``BALANCED``: the proposal network over the photo at its own size, a small photo enlarged, a large one
      in tiles with an overview; its proposals decide what the full detector does (see
      `obscura.detection.adaptive`). Without a proposal network: `plan_full_detector`.
    - ``THOROUGH``: the photo at full resolution in tiles of up to 1280 pixels with a large overview, and
      every slice once more mirrored.
    """
    match quality:
        case Quality.RAPID:
            side = _enlarged(size, scales.input_side, scales)
            return (replace(plan_whole(size, side), is_proposal=scales.has_proposals),)
        case Quality.FAST:
            return (plan_whole(size, _enlarged(size, scales.input_side, scales)),)
        case Quality.BALANCED if scales.has_proposals:
            return _proposals(size)
        case Quality.BALANCED:
            return plan_full_detector(size, scales)
        case Quality.THOROUGH:
            plain = _detailed(size, scales, 1.0, MAX_SLICE_SIDE)
            return plain + tuple(
                InferenceSlice(item.region, item.long_side, item.inner_edges, mirrored=True) for item in plain
            )
        case _:
            assert_never(quality)


def plan_full_detector(size: Size, scales: InferenceScales) -> tuple[InferenceSlice, ...]:
    """Return the slices in which a full detector covers a photo by itself.

    One slice of up to 1280 pixels at the photo's own size, and from 800 pixels on one at the model's own
    size; where this would reduce the photo below `WHOLE_SCALE`, an overview and tiles at full resolution
    instead.
    """
    return _detailed(size, scales, WHOLE_SCALE, OVERVIEW_SIDE)


def plan_auxiliary(size: Size) -> InferenceSlice:
    """Return the slice in which the auxiliary network sees a photo: whole, a small one enlarged."""
    enlarged = min(PROPOSAL_SIDE, round(size.long_side * AUXILIARY_ENLARGEMENT))
    side = max(1, min(MAX_SLICE_SIDE, max(size.long_side, enlarged)))
    return replace(plan_whole(size, side), is_auxiliary=True)


def plan_whole(size: Size, long_side: int) -> InferenceSlice:
    """Return one slice that shows a whole photo with its longer side at ``long_side`` input pixels."""
    region = Region(0, 0, size.width, size.height)
    return InferenceSlice(region, long_side, Edges(left=False, top=False, right=False, bottom=False))


def plan_probe(size: Size) -> InferenceSlice:
    """Return the slice in which the proposal network sees a small copy of a photo."""
    return replace(plan_whole(size, min(PROBE_SIDE, 2 * size.long_side)), is_proposal=True, is_square=True)


def is_panorama(size: Size) -> bool:
    """Return whether a photo is shaped like an equirectangular panorama: its width is twice its height."""
    return size.width == 2 * size.height and size.width >= PANORAMA_MIN_WIDTH


def wrap_width(size: Size) -> int:
    """Return how many columns of a panorama are repeated behind its right edge: an eighth of its width."""
    return size.width // PANORAMA_WRAP


def _proposals(size: Size) -> tuple[InferenceSlice, ...]:
    """Return the slices of the proposal network, the same for all classes."""
    enlarged = max(1, min(PROPOSAL_SIDE, round(size.long_side * PROPOSAL_ENLARGEMENT)))
    side = min(MAX_SLICE_SIDE, max(size.long_side, enlarged))
    if side >= WHOLE_SCALE * size.long_side:
        return (replace(plan_whole(size, side), is_proposal=True),)
    return tuple(
        replace(item, is_proposal=True) for item in (plan_whole(size, OVERVIEW_SIDE), *_tiles(size, 1.0))
    )


def _detailed(
    size: Size, scales: InferenceScales, min_scale: float, overview_side: int
) -> tuple[InferenceSlice, ...]:
    side = min(MAX_SLICE_SIDE, max(size.long_side, _enlarged(size, scales.detail_side, scales)))
    if side < min_scale * size.long_side:
        return (plan_whole(size, overview_side), *_tiles(size, scales.tile_scale))
    if side < OWN_SIZE_RATIO * scales.input_side:
        return (plan_whole(size, side),)
    return (plan_whole(size, scales.input_side), plan_whole(size, side))


def _enlarged(size: Size, long_side: int, scales: InferenceScales) -> int:
    return max(1, min(long_side, round(size.long_side * scales.enlargement)))


def _tiles(size: Size, scale: float) -> tuple[InferenceSlice, ...]:
    """Return tiles that cover the photo at ``scale``, each at most `MAX_SLICE_SIDE` input pixels long."""
    columns, rows = _spans(size.width, scale), _spans(size.height, scale)
    return tuple(
        InferenceSlice(
            Region(left, top, right, bottom),
            max(1, round(max(right - left, bottom - top) * scale)),
            Edges(left=left > 0, top=top > 0, right=right < size.width, bottom=bottom < size.height),
        )
        for top, bottom in rows
        for left, right in columns
    )


def _spans(length: int, scale: float) -> tuple[tuple[int, int], ...]:
    """Divide ``length`` pixels into the fewest equal spans that fit a slice and share `OVERLAP`."""
    longest = math.floor(MAX_SLICE_SIDE / scale)
    shared = math.ceil(OVERLAP / scale)
    if length <= longest:
        return ((0, length),)
    count = math.ceil((length - shared) / (longest - shared))
    span = math.ceil((length + (count - 1) * shared) / count)
    starts = (round(index * (length - span) / (count - 1)) for index in range(count))
    return tuple((start, start + span) for start in starts)
