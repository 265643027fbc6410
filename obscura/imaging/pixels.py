"""Convert Pillow images to 8-bit RGB with optional alpha, and apply orientation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from obscura.imaging.metadata import icc

Pixels: TypeAlias = NDArray[np.uint8]
"""``uint8[height, width, 3]``, RGB, upright."""

Plane: TypeAlias = NDArray[np.uint8]
"""``uint8[height, width]``: alpha, 0 (transparent) to 255 (opaque), or a mask."""

_Sample = TypeVar("_Sample", bound=np.generic)

_GREY_MODES: Final = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_HIGH_BIT_DEPTH_MODES: Final = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_BYTE: Final = 255
_WORD: Final = 65_535
_ROWS: Final = 256
"""Rows that are converted at once."""


@dataclass(frozen=True, eq=False, slots=True)
class Colours:
    """The colours of a decoded picture, as stored (not yet upright).

    Attributes
    ----------
    rgb
        ``uint8[height, width, 3]``.
    alpha
        ``uint8[height, width]``, or None where the picture has no transparency.
    is_grey
        Whether the source has no colours.
    is_reduced
        Whether samples of more than 8 bits were reduced to 8.
    """

    rgb: Pixels
    alpha: Plane | None
    is_grey: bool
    is_reduced: bool

    def turned(self, orientation: int) -> "Colours":
        """Return them upright, by EXIF orientation 1..8."""
        alpha = None if self.alpha is None else upright(self.alpha, orientation)
        return replace(self, rgb=upright(self.rgb, orientation), alpha=alpha)


def to_rgb(image: Image.Image, profile: bytes | None) -> Colours:
    """Return the colours of a loaded picture of any mode; ``profile`` is used for CMYK only."""
    if image.mode in _HIGH_BIT_DEPTH_MODES:
        grey = to_bytes(np.asarray(image))
        return Colours(np.repeat(grey[..., None], 3, axis=2), None, is_grey=True, is_reduced=True)
    is_grey = image.mode in _GREY_MODES
    if image.mode == "CMYK":
        image = icc.cmyk_to_rgb(image, profile)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        rgb, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
        return Colours(rgb, alpha, is_grey, is_reduced=False)
    return Colours(np.array(image.convert("RGB")), None, is_grey, is_reduced=False)


def to_bytes(values: NDArray[Any]) -> Plane:
    """Return samples of any numeric type as bytes.

    16-bit samples keep their scale (65,535 becomes 255). Wider and floating-point samples have no defined
    scale: 0..255 and 0..65,535 are kept as such, other ranges are stretched from minimum to maximum; NaN and
    infinities become 0.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:  # noqa: PLR2004 - 16 bits
        return _by_rows(values, lambda rows: (rows.astype(np.uint32) * _BYTE + _WORD // 2) // _WORD)
    # NaN and infinities count as 0.
    spans = [(part.min(initial=0.0), part.max(initial=0.0)) for part in map(_finite, _rows_of(values))]
    low, high = (float(limit) for limit in (min(span[0] for span in spans), max(span[1] for span in spans)))
    if low >= 0.0 and 1.0 < high <= _BYTE:
        offset, factor = 0.0, 1.0
    elif low >= 0.0 and _BYTE < high <= _WORD:
        offset, factor = 0.0, _BYTE / _WORD
    else:
        offset, factor = low, _BYTE / ((high - low) or 1.0)
    return _by_rows(values, lambda rows: np.clip(np.rint((_finite(rows) - offset) * factor), 0, _BYTE))


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _rows_of(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield an array in bands of rows, at least one."""
    for top in range(0, max(1, len(values)), _ROWS):
        yield values[top : top + _ROWS]


def _by_rows(values: NDArray[Any], work: Callable[[NDArray[Any]], NDArray[Any]]) -> Plane:
    """Return the bytes that ``work`` makes of bands of rows.

    It needs several times the memory of its input.
    """
    made = np.empty(values.shape, np.uint8)
    for number, rows in enumerate(_rows_of(values)):
        made[number * _ROWS : (number + 1) * _ROWS] = work(rows)
    return made


_TURNS: Final[Mapping[int, Callable[[NDArray[Any]], NDArray[Any]]]] = MappingProxyType(
    {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[:, ::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[::-1],
    }
)


def upright(stored: NDArray[_Sample], orientation: int) -> NDArray[_Sample]:
    """Return ``stored[height, width, ...]`` upright by EXIF orientation 1..8, contiguous."""
    turn = _TURNS.get(orientation)
    return stored if turn is None else np.ascontiguousarray(turn(stored))


def turned_back(shown: NDArray[_Sample], orientation: int) -> NDArray[_Sample]:
    """Return ``shown[height, width, ...]`` as it was before `upright`, a view where that is possible."""
    turn = _TURNS.get({6: 8, 8: 6}.get(orientation, orientation))
    return shown if turn is None else turn(shown)
