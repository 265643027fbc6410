"""What the components of a JPEG stand for: brightness and colour of levels, and the levels of a tone."""

from enum import Enum
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from obscura.jpeg.structure import Structure
from obscura.redaction.smooth import CB, CR, LUMA
from obscura.redaction.tones import SCALE, as_rgb

_YCCK: Final = 2
_WHITE: Final = 255.0
MIDDLE: Final = 128.0
"""The level that a DC coefficient of 0 stands for."""

Levels = NDArray[np.float64]
"""``float64[..., components]``: 0..255."""


class Colours(Enum):
    """The kinds of frames; four components are read as decoders do, inverted inks of the Adobe convention."""

    GREY = "grey"
    YCC = "YCbCr"
    RGB = "RGB"
    CMYK = "CMYK"
    YCCK = "YCCK"

    @classmethod
    def of(cls, structure: Structure) -> "Colours":
        """Return the kind of a file."""
        match len(structure.frame.components):
            case 3:
                return cls.YCC if structure.has_chroma else cls.RGB
            case 4:
                return cls.YCCK if structure.adobe == _YCCK else cls.CMYK
            case _:
                return cls.GREY

    def luma(self, levels: Levels) -> Levels:
        """Return the brightness of levels, 0..255."""
        match self:
            case Colours.GREY | Colours.YCC:
                return levels[..., 0]
            case Colours.RGB:
                return np.asarray(levels @ np.array(LUMA))
            case Colours.CMYK:
                return np.asarray(levels[..., :3] @ np.array(LUMA) * levels[..., 3] / _WHITE)
            case Colours.YCCK:
                return np.asarray((_WHITE - levels[..., 0]) * levels[..., 3] / _WHITE)
            case _:
                assert_never(self)

    def chroma(self, levels: Levels) -> Levels:
        """Return Cb and Cr of levels, 0..255, ``float64[..., 2]``."""
        match self:
            case Colours.GREY:
                return np.full((*levels.shape[:-1], 2), MIDDLE)
            case Colours.YCC:
                return levels[..., 1:3]
            case Colours.YCCK:
                return 2 * MIDDLE - levels[..., 1:3]
            case Colours.RGB | Colours.CMYK:
                return np.asarray(MIDDLE + levels[..., :3] @ np.array((CB, CR)).T)
            case _:
                assert_never(self)

    def tone(self, number: int, chroma: tuple[float, float]) -> list[tuple[float, float]]:
        """Return by component what a tone's shading is multiplied by and what is added: `fill.Face.tones`."""
        luma, (cb, cr) = SCALE[number], chroma
        match self:
            case Colours.GREY:
                return [(luma, 0.0), (0.0, MIDDLE)]
            case Colours.YCC:
                return [(luma, 0.0), (0.0, MIDDLE + cb), (0.0, MIDDLE + cr)]
            case Colours.RGB:
                return [*as_rgb(number, chroma)]
            case Colours.CMYK:
                return [*as_rgb(number, chroma), (0.0, _WHITE)]
            case Colours.YCCK:
                return [(-luma, _WHITE), (0.0, MIDDLE - cb), (0.0, MIDDLE - cr), (0.0, _WHITE)]
            case _:
                assert_never(self)

    def of_rgb(self, colour: tuple[int, int, int]) -> list[float]:
        """Return the level of each component, 0..255, that shows a colour."""
        luma, cb, cr = (float(np.dot(colour, weights)) for weights in (LUMA, CB, CR))
        match self:
            case Colours.GREY:
                return [luma, MIDDLE]
            case Colours.YCC:
                return [luma, MIDDLE + cb, MIDDLE + cr]
            case Colours.RGB:
                return [*map(float, colour)]
            case Colours.CMYK:
                return [*map(float, colour), _WHITE]
            case Colours.YCCK:
                return [_WHITE - luma, MIDDLE - cb, MIDDLE - cr, _WHITE]
            case _:
                assert_never(self)

    def noise_share(self, index: int) -> float:
        """Return the share of a mosaic's noise that a component gets: what is no brightness gets none."""
        if self in {Colours.RGB, Colours.CMYK}:
            return float(index < 3)  # noqa: PLR2004 - red, green and blue; the fourth is black ink
        return float(index == 0)
