"""The tagger protocol."""

from dataclasses import dataclass
from typing import Protocol

from obscura.imaging.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Tag:
    """A word for what a picture shows.

    Attributes
    ----------
    name
        The word, as the tagger spells it.
    score
        How sure the tagger is, 0 to 1.
    """

    name: str
    score: float


class Tagger(Protocol):
    """Something that looks at a picture and says what it shows."""

    def tags(self, pixels: Pixels) -> tuple[Tag, ...]:
        """Return tags of a picture ``uint8[height, width, 3]`` (RGB, upright), the surest first.

        Raises
        ------
        TaggerError
            If no answer can be had.
        """
        ...

    def close(self) -> None:
        """Free what it holds; calling it again does nothing."""
        ...
