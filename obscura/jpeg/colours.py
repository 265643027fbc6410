"""What the components of a JPEG stand for: brightness and colour of levels, and the levels of a tone."""

from enum import Enum
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from obscura.jpeg.structure import Structure
from obscura.redaction.smooth import CB, CR, LUMA
from obscura.redaction.tones import SCALE, as_rgb

_YCCK: Final = 2
_WHITE: Final = 255.0
_LUMA: Final = np.array(LUMA, np.float32)
_CB: Final = np.array(CB, np.float32)
_CR: Final = np.array(CR, np.float32)
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
        return [float(level) for level in self.of_samples(np.array([*colour, _WHITE]))]

    def of_samples(self, samples: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the level of each component, 0..255, that shows samples.

        Parameters
        ----------
        samples
            ``[..., n]``: red, green, blue, 0..255, and for four components what black ink leaves of white.
        """
        rgb = samples[..., :3]
        match self:
            case Colours.GREY:
                return [rgb @ _LUMA]
            case Colours.YCC:
                return [rgb @ _LUMA, MIDDLE + rgb @ _CB, MIDDLE + rgb @ _CR]
            case Colours.RGB:
                return [*np.moveaxis(rgb, -1, 0)]
            case Colours.CMYK:
                return [*np.moveaxis(samples, -1, 0)]
            case Colours.YCCK:
                black = samples[..., 3]
                return [_WHITE - rgb @ _LUMA, MIDDLE - rgb @ _CB, MIDDLE - rgb @ _CR, black]
            case _:
                assert_never(self)

    def is_brightness(self, index: int) -> bool:
        """Whether a component carries brightness rather than a difference of colours."""
        return index not in (1, 2) or self in {Colours.RGB, Colours.CMYK}

    def noise_share(self, index: int) -> float:
        """Return the share of a mosaic's noise that a component gets: what is no brightness gets none."""
        if self in {Colours.RGB, Colours.CMYK}:
            return float(index < 3)  # noqa: PLR2004 - red, green and blue; the fourth is black ink
        return float(index == 0)
