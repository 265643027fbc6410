"""Plan the inference slices of a photo and their scales.

A network sees an object well when it has some twenty pixels in the network's input. One pass at a fixed
size loses the small ones of a large photo; these plans trade time against that loss.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from obscura.contract import Quality
from obscura.geometry import Size

__all__ = [
    "SCOUTED_SIZES",
    "Edges",
    "Pass",
    "Quality",
    "Region",
    "Sight",
    "is_panorama",
    "plan_passes",
    "whole_passes",
    "wrap_width",
]

MAX_PASS_SIDE = 1280
"""Longest side of a network's input, in pixels."""

OVERVIEW_SIDE = 640
"""Long side of the one pass that sees the whole of a tiled photo: it finds what is larger than a tile's
overlap, and that is large in the overview too."""

SECOND_LOOK = 1.25
"""From so many times the model's own input side a pass is joined by one at the own side: what is large in
the first is missed there more often, and boxes found twice grow tighter."""

WHOLE_SCALE = 0.75
"""Input pixels per photo pixel below which `Quality.BALANCED` divides the photo into tiles: two megapixels
are looked at whole."""

OVERLAP = 160
"""Input pixels that neighbouring tiles share. An object of 160 input pixels in a tile of a 4000
pixel photo has 20 or more in the overview: what the network needs."""

PROPOSAL_SIDE = 960
"""Long side in pixels to which a small photo is enlarged for the proposal network, at most
`PROPOSAL_ENLARGEMENT` times. AP50 of faces, then recall of those under 16 pixels at 1 false box per photo,
with re-scoring windows: 0.898 and 0.82 at 640, 0.937 and 0.93 at 960, 0.919 and 0.93 at 1280."""

PROPOSAL_ENLARGEMENT = 2.0

SCOUTED_SIZES = frozenset(
    size for short in (384, 448, 480, 640) for size in (Size(640, short), Size(short, 640))
)
"""Inputs of a scout for photos in the usual proportions: 16:9, 3:2, 4:3 and square, either way up."""

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
    """Which edges of a region cut the photo (the others are the photo's own)."""

    left: bool
    top: bool
    right: bool
    bottom: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What a model sees best.

    Attributes
    ----------
    input_side
        Long side, in pixels, of the pictures it was trained on: the size of `Quality.FAST`.
    detail_side
        Long side, in pixels, up to which `Quality.BALANCED` and `Quality.THOROUGH` enlarge a small photo:
        small objects are found and boxes tighter up to there; beyond, false boxes grow faster.
    enlargement
        How many times a small photo may be enlarged at most.
    tile_scale
        Input pixels per photo pixel in tiles.
    has_scout
        Whether a smaller network is there that can go first.
    """

    input_side: int = 640
    detail_side: int = 640
    enlargement: float = 1.0
    tile_scale: float = 1.0
    has_scout: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of the network.

    Attributes
    ----------
    region
        The part of the photo that it sees.
    long_side
        Length in input pixels to which the region's longer side is scaled.
    cuts
        The region's edges inside the photo.
    mirrored
        Whether the network sees the region left-right reversed.
    scouted
        Whether it is the scout that looks.
    """

    region: Region
    long_side: int
    cuts: Edges
    mirrored: bool = False
    scouted: bool = False

    @property
    def scaled(self) -> Size:
        """The region's size in input pixels."""
        return self.region.size.scaled_to(self.long_side)


def plan_passes(size: Size, quality: Quality, sight: Sight) -> tuple[Pass, ...]:
    """Return the passes over a photo of ``size`` pixels.

    - ``RAPID``: one pass at the model's own input size, by the scout where there is one.
    - ``FAST``: one pass at the model's own input size.
    - ``BALANCED``: the proposal network over the photo at its own size, a small photo enlarged, a large one
      in tiles with an overview; what it reports decides what the model itself does (see
      `obscura.detection.adaptive`). Without a proposal network: `whole_passes`.
    - ``THOROUGH``: the photo at full resolution in tiles of up to 1280 pixels with a large overview, and
      everything once more mirrored.
    """
    match quality:
        case Quality.RAPID:
            side = _enlarged(size, sight.input_side, sight)
            return (replace(_whole(size, side), scouted=sight.has_scout),)
        case Quality.FAST:
            return (_whole(size, _enlarged(size, sight.input_side, sight)),)
        case Quality.BALANCED if sight.has_scout:
            return _proposals(size)
        case Quality.BALANCED:
            return whole_passes(size, sight)
        case Quality.THOROUGH:
            plain = _detailed(size, sight, 1.0, MAX_PASS_SIDE)
            return plain + tuple(
                Pass(item.region, item.long_side, item.cuts, mirrored=True) for item in plain
            )
        case _:
            assert_never(quality)


def whole_passes(size: Size, sight: Sight) -> tuple[Pass, ...]:
    """Return the passes in which a model looks at all of a photo by itself.

    One pass of up to 1280 pixels that follows the photo, and from 800 pixels one at the model's own size;
    where this would reduce the photo below `WHOLE_SCALE`, an overview and tiles at full resolution instead.
    """
    return _detailed(size, sight, WHOLE_SCALE, OVERVIEW_SIDE)


def is_panorama(size: Size) -> bool:
    """Return whether a photo looks like a full 360 degree one (equirectangular: exactly twice as wide)."""
    return size.width == 2 * size.height and size.width >= PANORAMA_MIN_WIDTH


def wrap_width(size: Size) -> int:
    """Return how many columns of a panorama are repeated behind its right edge: an eighth of a turn."""
    return size.width // PANORAMA_WRAP


def _proposals(size: Size) -> tuple[Pass, ...]:
    """Return the passes of the proposal network, the same for all classes."""
    enlarged = max(1, min(PROPOSAL_SIDE, round(size.long_side * PROPOSAL_ENLARGEMENT)))
    side = min(MAX_PASS_SIDE, max(size.long_side, enlarged))
    if side >= WHOLE_SCALE * size.long_side:
        return (replace(_whole(size, side), scouted=True),)
    return tuple(replace(item, scouted=True) for item in (_whole(size, OVERVIEW_SIDE), *_tiles(size, 1.0)))


def _detailed(size: Size, sight: Sight, min_scale: float, overview_side: int) -> tuple[Pass, ...]:
    side = min(MAX_PASS_SIDE, max(size.long_side, _enlarged(size, sight.detail_side, sight)))
    if side < min_scale * size.long_side:
        return (_whole(size, overview_side), *_tiles(size, sight.tile_scale))
    if side < SECOND_LOOK * sight.input_side:
        return (_whole(size, side),)
    return (_whole(size, sight.input_side), _whole(size, side))


def _enlarged(size: Size, long_side: int, sight: Sight) -> int:
    return max(1, min(long_side, round(size.long_side * sight.enlargement)))


def _whole(size: Size, long_side: int) -> Pass:
    region = Region(0, 0, size.width, size.height)
    return Pass(region, long_side, Edges(left=False, top=False, right=False, bottom=False))


def _tiles(size: Size, scale: float) -> tuple[Pass, ...]:
    """Return tiles that cover the photo at ``scale``, each at most `MAX_PASS_SIDE` input pixels long."""
    columns, rows = _spans(size.width, scale), _spans(size.height, scale)
    return tuple(
        Pass(
            Region(left, top, right, bottom),
            max(1, round(max(right - left, bottom - top) * scale)),
            Edges(left=left > 0, top=top > 0, right=right < size.width, bottom=bottom < size.height),
        )
        for top, bottom in rows
        for left, right in columns
    )


def _spans(length: int, scale: float) -> tuple[tuple[int, int], ...]:
    """Divide ``length`` pixels into the fewest equal spans that fit a pass and share `OVERLAP`."""
    longest = math.floor(MAX_PASS_SIDE / scale)
    shared = math.ceil(OVERLAP / scale)
    if length <= longest:
        return ((0, length),)
    count = math.ceil((length - shared) / (longest - shared))
    span = math.ceil((length + (count - 1) * shared) / count)
    starts = (round(index * (length - span) / (count - 1)) for index in range(count))
    return tuple((start, start + span) for start in starts)
