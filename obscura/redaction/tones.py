"""The eight tones of a hidden face: all that is told of it.

A tone is a brightness of a fixed scale. Its colour is that of skin at this brightness, drawn a little towards
the colour of what lies around the face, because people stand in the light that their surroundings stand in;
where the picture has no colours a tone has none.
Needs no image library.
"""

from typing import Final

TONES: Final = 8
"""How many there are: three bits."""

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
little more colourful, because in the middle of a fill they are mixed with what lies around."""

USUAL: Final = (124.5, 132.0)
"""Cb and Cr of what usually lies around a face."""

LED: Final = 0.12
"""Share of the surroundings' difference from `USUAL` by which a tone's colour is moved."""

MOST_LED: Final = 6.0
"""Levels by which it is moved at most: a blue wall does not make a face blue."""

NO_COLOUR: Final = 2.0
COLOUR: Final = 6.0
"""Distance of the surroundings' colours from grey, in levels: up to the first a picture counts as one without
colours, from the second on as one with."""


RED: Final = (0.0, 1.402)
GREEN: Final = (-0.344136, -0.714136)
BLUE: Final = (1.772, 0.0)
"""What Cb and Cr add to luma in each colour (ITU-T T.871)."""

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
        Its number.
    around
        Mean Cb and Cr, 0..255, of what is seen around the face.
    colourfulness
        How far the colours of what is seen of the picture lie from grey, in levels.
    """
    strength = min(max((colourfulness - NO_COLOUR) / (COLOUR - NO_COLOUR), 0.0), 1.0)
    cb, cr = (
        strength * (own - 128.0 + min(max(LED * (seen - usual), -MOST_LED), MOST_LED))
        for own, seen, usual in zip(SKIN[tone], around, USUAL, strict=True)
    )
    return cb, cr


def as_rgb(tone: int, chroma: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Return by colour what a tone's brightness is multiplied by and what is added: see `fill.Face.tones`."""
    return tuple((SCALE[tone], cb * chroma[0] + cr * chroma[1]) for cb, cr in (RED, GREEN, BLUE))
