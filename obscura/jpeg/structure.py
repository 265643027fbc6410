"""The structure of a JPEG file as values. Standard library only.

Source: ITU-T T.81 annex B (syntax), A.1.1 and A.2 (dimensions, interleaving).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from obscura.geometry import Size

BLOCK_SIDE: Final = 8
COEFFICIENTS: Final = 64
DQT: Final = 0xDB
DHT: Final = 0xC4
DRI: Final = 0xDD
DNL: Final = 0xDC
PROGRESSIVE: Final = 0xC2

_YCC: Final = 3


class HuffmanTable(NamedTuple):
    """``bits``: number of codes of each length 1..16; ``values``: their symbols in order (T.81 B.2.4.2)."""

    bits: bytes
    values: bytes


class TableKey(NamedTuple):
    """Which Huffman table: ``is_ac`` and its number 0..3."""

    is_ac: bool
    number: int


class QuantTable(NamedTuple):
    """64 divisors in zigzag order, and whether they are stored in two bytes each (T.81 B.2.4.1)."""

    divisors: tuple[int, ...]
    is_wide: bool


@dataclass(frozen=True, slots=True)
class Component:
    """A colour component of a frame.

    Attributes
    ----------
    identifier, sampling, selector
        The three bytes that the frame header states: its name, its sampling factors, its quantisation table.
    h, v
        Blocks per MCU of an interleaved scan; 1 in a frame of one component, whatever is stated.
    columns, rows
        Blocks that a scan of this component alone has.
    """

    identifier: int
    sampling: int
    selector: int
    h: int
    v: int
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header (T.81 B.2.2): ``size`` in stored pixels, ``mcus`` in MCUs of interleaved scans."""

    marker: int
    size: Size
    components: tuple[Component, ...]
    mcu: Size
    mcus: Size

    @property
    def is_progressive(self) -> bool:
        """Whether coefficients come in several scans."""
        return self.marker == PROGRESSIVE

    @property
    def blocks(self) -> int:
        """Number of blocks, all components together, without those that only fill up MCUs."""
        return sum(component.columns * component.rows for component in self.components)


class ScanComponent(NamedTuple):
    """A component in a scan: its place in the frame, and the numbers of its Huffman tables."""

    place: int
    dc_table: int
    ac_table: int


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan header (T.81 B.2.3) with the state that it finds: tables and restart interval.

    Attributes
    ----------
    components
        What it holds.
    ss, se, ah, al
        Band and bit positions; 0, 63, 0, 0 in a sequential scan.
    restart
        MCUs per restart interval, 0 for none.
    tables
        The Huffman tables that it uses.
    quants
        The quantisation tables of its components, by number.
    start, end
        Where its entropy-coded data lie in the file.
    """

    components: tuple[ScanComponent, ...]
    ss: int
    se: int
    ah: int
    al: int
    restart: int
    tables: Mapping[TableKey, HuffmanTable]
    quants: Mapping[int, QuantTable]
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Structure:
    """All of a file that its coefficients and colours depend on.

    Attributes
    ----------
    frame, scans
        The picture.
    quants
        The quantisation table of each component, as its first scan found it.
    jfif
        Version, unit and density of a JFIF header, 7 bytes; None where there is none.
    adobe
        The colour transform that an Adobe segment states; None where there is none.
    """

    frame: Frame
    scans: tuple[Scan, ...]
    quants: tuple[QuantTable, ...]
    jfif: bytes | None = None
    adobe: int | None = None

    @property
    def has_chroma(self) -> bool:
        """Whether the second and third components are colour differences, as decoders guess it."""
        names = bytes(component.identifier for component in self.frame.components)
        if self.adobe is not None and self.jfif is None:
            return self.adobe != 0
        return len(names) == _YCC and (self.jfif is not None or names != b"RGB")
