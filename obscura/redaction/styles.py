"""Redaction styles as variants. Needs no image library."""

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from obscura.contract import RedactionShape
from obscura.errors import InvalidOptionError

BLUR_FLOOR: Final = 0.1
"""Least sigma of a blur, as a share of the long side of what is blurred."""

DEFAULT_CELLS: Final = 3


RegionShape: TypeAlias = RedactionShape
"""The outline of what is painted: the whole grown box, or the ellipse inside it."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Cells of one colour each, the mean of what they cover, with noise added to each cell.

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
    """One colour: the mean of what is covered."""


@dataclass(frozen=True, slots=True)
class Blur:
    """Gaussian blur. It can be undone by those who try: cosmetic, and reported as such.

    Attributes
    ----------
    sigma_fraction
        Sigma as a share of the grown box's long side; less than `BLUR_FLOOR` counts as `BLUR_FLOOR`.
    """

    sigma_fraction: float = 0.15

    def __post_init__(self) -> None:
        """Check the sigma."""
        if not 0.0 < self.sigma_fraction <= 1.0:
            message = f"the sigma of a blur must lie in 0..1, not {self.sigma_fraction}"
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


Style: TypeAlias = Mosaic | Solid | Blur | PixelNoise


def strength(style: Style) -> int:
    """Return the rank of a style, the strongest highest."""
    match style:
        case Blur():
            return 0
        case PixelNoise():
            return 1
        case Mosaic():
            return 2
        case Solid():
            return 3
        case _:
            assert_never(style)


def describe(style: Style) -> str:
    """Return the style in words, as reports carry it."""
    match style:
        case Mosaic(cells):
            return f"mosaic of at most {cells} cells"
        case Solid():
            return "solid"
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
