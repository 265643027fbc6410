"""An unfinished redaction: the input of verification and report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from obscura.imaging.encode import EncodedPhoto
from obscura.imaging.open import Photo
from obscura.jpeg.splice import SplicedPhoto
from obscura.redaction.regions import Region

Regions: TypeAlias = Sequence[Sequence[Region]]
"""What is painted, by frame; one frame for a single picture."""


@dataclass(frozen=True, eq=False, slots=True)
class Redaction:
    """The picture before and after painting, the file made of it, and that file opened again."""

    before: Photo
    after: Photo
    encoded: EncodedPhoto
    shown: Photo
    spliced: SplicedPhoto | None = None
    warnings: tuple[str, ...] = ()
