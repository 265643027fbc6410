"""Redact regions of a JPEG losslessly: the public entry point.

Nothing but the hidden MCUs changes: every other DCT coefficient is the same number afterwards. The file keeps
its frame, its scans and its restart intervals, so a progressive file stays progressive. Of what it carried
beside the picture nothing is kept but what decoders take its colours from.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from obscura.imaging.formats import Buffer
from obscura.jpeg import native, parsing
from obscura.jpeg.codec import Codec
from obscura.jpeg.header import HeaderOptions, write
from obscura.jpeg.hidden_blocks import HiddenBlocks
from obscura.jpeg.native import NativeCodec
from obscura.jpeg.patches import patches
from obscura.jpeg.portable import PortableCodec
from obscura.jpeg.recode import recode
from obscura.jpeg.smooth import Painted
from obscura.redaction.mosaic import Entropy
from obscura.redaction.regions import Region


@dataclass(frozen=True, slots=True)
class SplicedPhoto:
    """A finished file.

    Attributes
    ----------
    data
        All of its bytes.
    blocks_touched, blocks_total
        Blocks of all components that were replaced, and that there are.
    engine
        The coder that did it.
    painted
        What the fill of faces and plates took from the picture. With these tones given, splicing the finished
        file again changes nothing in it.
    """

    data: bytes
    blocks_touched: int
    blocks_total: int
    engine: str
    painted: Painted = field(default_factory=Painted)


class EngineStatus(NamedTuple):
    """A coder: whether it can be used here, and why not or how fast."""

    name: str
    is_available: bool
    note: str


def available_engines() -> tuple[EngineStatus, ...]:
    """Return the coders, the one that `splice` takes first among the available ones."""
    reason = native.problem()
    return (
        EngineStatus(NativeCodec.name, reason is None, reason or "compiled C, about 2 ms per megapixel"),
        EngineStatus(
            PortableCodec.name,
            is_available=True,
            note="Python, some 60 ms per megapixel; no large progressive files",
        ),
    )


def splice(
    data: Buffer,
    regions: Sequence[Region],
    *,
    orientation: int = 1,
    icc: bytes | None = None,
    exif: bytes | None = None,
) -> SplicedPhoto:
    """Hide regions of a JPEG file without decoding its pixels.

    Parameters
    ----------
    data
        All bytes of the file; what lies behind its first picture is dropped.
    regions
        What to hide, in pixels of the upright picture; parts outside the picture are left out.
    orientation
        EXIF orientation of the file, 1..8; kept, in a fresh EXIF block where it is not 1.
    icc
        The colour profile to write, or None.
    exif
        The EXIF block to write, or None; its orientation is set to ``orientation``.

    Returns
    -------
    SplicedPhoto
        The file, with nothing in its header but what is named here.

    Raises
    ------
    NotSpliceableError
        If a file of this kind, or one so damaged, has to be decoded and encoded again instead.
    PhotoError
        If it is no JPEG or not all of one.
    InvalidOptionError
        If a coordinate is not a finite number.
    """
    codec: Codec = NativeCodec() if native.problem() is None else PortableCodec()
    return splice_with(codec, data, regions, HeaderOptions(orientation, icc, exif))


def splice_with(
    codec: Codec,
    data: Buffer,
    regions: Sequence[Region],
    options: HeaderOptions,
    entropy: Entropy = os.urandom,
) -> SplicedPhoto:
    """Do what `splice` does with a coder and a source of noise of one's own choice."""
    structure = parsing.read(data)
    frame = structure.frame
    hidden = HiddenBlocks(frame, patches(frame, regions, options.orientation))
    scans, painted = recode(data, structure, hidden, entropy, codec)
    return SplicedPhoto(write(structure, scans, options), hidden.count(), frame.blocks, codec.name, painted)
