"""Redaction styles as variants. Needs no image library."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from obscura.errors import InvalidOptionError

BLUR_FLOOR: Final = 0.1
"""Least sigma of a blur, as a share of the long side of what is blurred."""

DEFAULT_CELLS: Final = 3

_BYTE: Final = 255
_COLOUR: Final = re.compile("#[0-9a-fA-F]{6}")


SUPERELLIPSE_GROW: Final = 1.3
ROUNDED_GROW: Final = 1.1
"""Least growth at which the outline in the grown box contains the whole original box."""

EXPONENTS: Final = (2.0, 2.65, 7.5)
"""Exponents of the outlines: ellipse, superellipse, rounded box. An outline ``|x|^n + |y|^n = 1`` in a box
grown by ``g`` contains the box where ``n >= ln 2 / ln g``: 2.65 for 1.3, 7.3 for 1.1."""


class RegionShape(StrEnum):
    """The outline of the painted area within the grown box."""

    BOX = "box"
    ELLIPSE = "ellipse"
    SUPERELLIPSE = "superellipse"
    ROUNDED = "rounded"

    @property
    def exponent(self) -> float:
        """The exponent of the outline; infinity for the box."""
        match self:
            case RegionShape.BOX:
                return float("inf")
            case RegionShape.ELLIPSE:
                return EXPONENTS[0]
            case RegionShape.SUPERELLIPSE:
                return EXPONENTS[1]
            case RegionShape.ROUNDED:
                return EXPONENTS[2]
            case _:
                assert_never(self)


def outline_for(grow: float, *, is_face: bool) -> RegionShape:
    """Return the roundest outline in a box grown by ``grow`` that still hides the whole box."""
    if is_face and grow >= SUPERELLIPSE_GROW:
        return RegionShape.SUPERELLIPSE
    return RegionShape.ROUNDED if grow >= ROUNDED_GROW else RegionShape.BOX


@dataclass(frozen=True, slots=True)
class Soft:
    """A featureless face: the rim is filled from its surroundings, the middle has one of eight tones.

    A function of the surroundings and of three bits of the face; nothing is random.
    """


@dataclass(frozen=True, slots=True)
class Fill:
    """Filled smoothly from the surroundings; nothing of the hidden pixels enters."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Cells of one colour each, contrast-reduced, with random brightness added to each cell.

    The noise differs each time: equal requests give different pictures.

    Attributes
    ----------
    cells
        Most cells on the long side of the grown box: strength is relative to the object, so that a large face
        is hidden as well as a small one.
    """

    cells: int = DEFAULT_CELLS

    def __post_init__(self) -> None:
        """Check the number of cells."""
        _require_cells(self.cells)


@dataclass(frozen=True, slots=True)
class Solid:
    """One colour.

    Attributes
    ----------
    colour
        Red, green and blue, 0..255; None for the mean colour of the surroundings.
    """

    colour: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        """Check the colour."""
        if self.colour is not None and not all(0 <= level <= _BYTE for level in self.colour):
            message = f"the levels of a colour must be 0..{_BYTE}, not {self.colour}"
            raise InvalidOptionError(message)


def colour_of(text: str) -> tuple[int, int, int]:
    """Parse ``#rrggbb``.

    Raises
    ------
    InvalidOptionError
        If the text has another form.
    """
    if not _COLOUR.fullmatch(text):
        message = f"a colour must have the form #rrggbb, not {text!r}"
        raise InvalidOptionError(message)
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Blur:
    """Gaussian blur. It can be reversed: cosmetic, and reported as such.

    Attributes
    ----------
    sigma_fraction
        Sigma as a share of the grown box's long side; less than `BLUR_FLOOR` counts as `BLUR_FLOOR`.
    """

    sigma_fraction: float = 0.15

    def __post_init__(self) -> None:
        """Check the sigma."""
        if not 0.0 < self.sigma_fraction <= 1.0:
            message = f"the sigma of a blur must be in 0..1, not {self.sigma_fraction}"
            raise InvalidOptionError(message)


@dataclass(frozen=True, slots=True)
class PixelNoise:
    """A mosaic with strong noise on every pixel instead of every cell.

    Attributes
    ----------
    cells
        Most cells on the long side of the grown box.
    """

    cells: int = DEFAULT_CELLS

    def __post_init__(self) -> None:
        """Check the number of cells."""
        _require_cells(self.cells)


Style: TypeAlias = Soft | Fill | Mosaic | Solid | Blur | PixelNoise

Smooth: TypeAlias = Soft | Fill
"""The styles that are filled from the surroundings."""


def strength(style: Style) -> int:
    """Return the rank of a style, the strongest highest."""
    match style:
        case Blur():
            return 0
        case PixelNoise():
            return 1
        case Mosaic():
            return 2
        case Soft():
            return 3
        case Fill():
            return 4
        case Solid():
            return 5
        case _:
            assert_never(style)


def describe(style: Style) -> str:
    """Return the description of a style for reports."""
    match style:
        case Mosaic(cells):
            return f"mosaic of at most {cells} cells"
        case Soft():
            return "soft, one of 8 tones"
        case Fill():
            return "filled from around"
        case Solid(colour):
            return "solid" if colour is None else f"solid #{bytes(colour).hex()}"
        case Blur():
            return "blur (cosmetic)"
        case PixelNoise(cells):
            return f"pixel noise over at most {cells} cells"
        case _:
            assert_never(style)


def _require_cells(cells: int) -> None:
    if cells < 1:
        message = f"the number of cells must be at least 1, not {cells}"
        raise InvalidOptionError(message)
