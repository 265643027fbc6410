"""An unfinished redaction: the input of verification and report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from obscura.imaging.encode import EncodedPhoto
from obscura.imaging.open import Photo
from obscura.jpeg.splice import SplicedPhoto
from obscura.redaction.regions import Region

Regions: TypeAlias = Sequence[Sequence[Region]]
"""The painted regions of each frame; one frame for a single picture."""


@dataclass(frozen=True, eq=False, slots=True)
class Redaction:
    """The picture before and after painting, the encoded file, that file decoded again, and the regions.

    Where a JPEG was spliced, ``after`` is the decoded file, and ``spliced`` says which blocks were replaced.
    """

    before: Photo
    after: Photo
    encoded: EncodedPhoto
    shown: Photo
    regions: Regions
    spliced: SplicedPhoto | None = None
    warnings: tuple[str, ...] = ()
