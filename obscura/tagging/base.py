"""The tagger protocol."""

from dataclasses import dataclass
from typing import Protocol

from obscura.imaging.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a picture.

    Attributes
    ----------
    name
        The word, as the tagger spells it.
    score
        Confidence, 0 to 1.
    """

    name: str
    score: float


class Tagger(Protocol):
    """Returns tags of a picture."""

    def tags(self, pixels: Pixels) -> tuple[Tag, ...]:
        """Return tags of a picture ``uint8[height, width, 3]`` (RGB, upright), best first.

        Raises
        ------
        TaggerError
            If tagging fails.
        """
        ...

    def close(self) -> None:
        """Free its resources; calling it again does nothing."""
        ...
