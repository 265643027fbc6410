"""The eight tones of the style `soft`: the only information about a face that it keeps.

A tone is a brightness of a fixed scale with the colour of skin at this brightness, moved a little towards the
colour of the surroundings, because both are in the same light. In a picture without colours tones have none.
Needs no image library.
"""

from typing import Final

TONES: Final = 8
"""Number of tones: three bits."""

SCALE: Final[tuple[float, ...]] = (48.0, 70.0, 92.0, 114.0, 136.0, 158.0, 180.0, 202.0)
"""Luma of each tone, 0..255 (ITU-R BT.601), in equal steps."""

SKIN: Final[tuple[tuple[float, float], ...]] = (
    (121.0, 139.0),
    (118.5, 143.0),
    (115.5, 146.0),
    (114.0, 147.5),
    (113.0, 148.5),
    (112.5, 149.0),
    (112.5, 149.0),
    (114.0, 147.5),
)
"""Cb and Cr of skin by tone: medians over some 800 photographed faces of all complexions, smoothed, and a
little more saturated, because a fill mixes them with its surroundings."""

USUAL_SURROUNDINGS: Final = (124.5, 132.0)
"""Median Cb and Cr of the surroundings of a face."""

TINT: Final = 0.12
"""Share of the surroundings' difference from `USUAL_SURROUNDINGS` by which a tone's colour is moved."""

MAX_TINT: Final = 6.0
"""Most levels by which a colour is moved: a blue wall does not make a face blue."""

NO_COLOUR: Final = 2.0
COLOUR: Final = 6.0
"""Distance of the surroundings' colours from grey, in levels: up to `NO_COLOUR` a picture is greyscale, from
`COLOUR` on it is in colour, between them tones are partly coloured."""


RED: Final = (0.0, 1.402)
GREEN: Final = (-0.344136, -0.714136)
BLUE: Final = (1.772, 0.0)
"""Coefficients of Cb and Cr in each colour (ITU-T T.871)."""

CORE: Final = 0.45
"""Share of a hidden box, down and across, whose mean brightness chooses the tone."""


def tone_of(luma: float) -> int:
    """Return the number of the tone nearest to the mean luma of a face, 0..255: the three bits."""
    return min(range(TONES), key=lambda number: (abs(SCALE[number] - luma), number))


def chroma_of(tone: int, around: tuple[float, float], colourfulness: float) -> tuple[float, float]:
    """Return Cb and Cr of a tone, each less 128.

    Parameters
    ----------
    tone
        Number of the tone, 0..7.
    around
        Mean Cb and Cr, 0..255, of the surroundings of the face.
    colourfulness
        Mean distance of the surroundings' colours from grey, in levels.
    """
    strength = min(max((colourfulness - NO_COLOUR) / (COLOUR - NO_COLOUR), 0.0), 1.0)
    cb, cr = (
        strength * (own - 128.0 + min(max(TINT * (seen - usual), -MAX_TINT), MAX_TINT))
        for own, seen, usual in zip(SKIN[tone], around, USUAL_SURROUNDINGS, strict=True)
    )
    return cb, cr


def as_rgb(tone: int, chroma: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Return for red, green and blue the luma of a tone and what its chroma adds: see `fill.Face.tones`."""
    return tuple((SCALE[tone], cb * chroma[0] + cr * chroma[1]) for cb, cr in (RED, GREEN, BLUE))
