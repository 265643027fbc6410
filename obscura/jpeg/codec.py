"""What an entropy coder has to do; `native` and `portable` both do it, bit for bit alike."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from obscura.geometry import Size
from obscura.imaging.formats import Buffer
from obscura.jpeg.structure import Frame, HuffmanTable, Scan, TableKey

Values: TypeAlias = NDArray[np.int16]
"""``int16[rows, columns]`` DC coefficients, or ``int16[rows, columns, 64]`` coefficients in zigzag order."""

Counts: TypeAlias = NDArray[np.uint32]
"""``uint32[8, 256]``: how often each symbol occurs, by DC tables 0..3 and AC tables 0..3."""


class Part(NamedTuple):
    """A component in a scan.

    Attributes
    ----------
    values
        Its coefficients, in whole MCUs of the frame; written to when a scan is read.
    touched
        ``bool[rows, columns]``: which blocks are replaced.
    h, v
        Blocks per MCU of this scan.
    dc_table, ac_table
        Numbers of its Huffman tables, 0..3.
    """

    values: Values
    touched: NDArray[np.bool_]
    h: int
    v: int
    dc_table: int
    ac_table: int


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """A scan to read or write: ``mcus`` of it, ``tables`` for it."""

    scan: Scan
    parts: tuple[Part, ...]
    mcus: Size
    tables: Mapping[TableKey, HuffmanTable]
    is_progressive: bool

    @property
    def segments(self) -> int:
        """Number of restart intervals."""
        return -(-self.mcus.pixels // self.scan.restart) if self.scan.restart else 1

    def bounds(self, segment: int) -> tuple[int, int]:
        """Return the first MCU of a restart interval, and the one behind its last."""
        step = self.scan.restart or self.mcus.pixels
        return segment * step, min((segment + 1) * step, self.mcus.pixels)

    def with_tables(self, tables: Mapping[TableKey, HuffmanTable]) -> "Job":
        """Return this job with other tables, in its scan as well."""
        return replace(self, tables=tables, scan=replace(self.scan, tables=tables))


class Clean(NamedTuple):
    """The data of a scan without stuffed bytes and restart markers.

    Attributes
    ----------
    bits
        ``uint8``: the data, and at least 1024 zeros behind them.
    starts
        ``int64[segments + 1]``: byte at which each restart interval begins, and where the last one ends.
    """

    bits: NDArray[np.uint8]
    starts: NDArray[np.int64]


class Tokens(NamedTuple):
    """The symbols of a scan.

    Attributes
    ----------
    counts
        How often each occurs.
    items
        They and the bits between them, in whatever form their coder keeps them.
    """

    counts: Counts
    items: object


class Codec(Protocol):
    """An entropy coder.

    Every method raises `NotSpliceableError` where the data are damaged.
    """

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def require_feasible(self, frame: Frame, scans: int) -> None:
        """Refuse a picture that would take this coder minutes."""

    def clean(self, job: Job, data: Buffer) -> Clean:
        """Take stuffed bytes and restart markers out of the entropy-coded data of a scan."""

    def dc_scan(self, job: Job, clean: Clean) -> NDArray[np.int64]:
        """Read the DC coefficients of a sequential scan into ``values[rows, columns]``.

        Returns
        -------
        ndarray
            ``int64[mcus]``: the bit behind each MCU.
        """

    def splice(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> bytes | None:
        """Write a sequential scan with new DC coefficients and no AC coefficients in the touched blocks.

        Returns
        -------
        bytes or None
            None where the tables have no code for what is new.
        """

    def decode(self, job: Job, clean: Clean) -> NDArray[np.int64]:
        """Read a scan into ``values[rows, columns, 64]``.

        Returns
        -------
        ndarray
            ``int64[mcus]``: the bit behind each MCU; -1 where a run of ends of block goes on over the next.
        """

    def read(self, job: Job, clean: Clean, ends: NDArray[np.int64], wanted: NDArray[np.bool_]) -> None:
        """Read the MCUs of a surveyed sequential scan that are ``wanted``, ``bool[mcus]``.

        Their AC coefficients go into ``values[rows, columns, 64]``; what they hold for DC is
        not the coefficient.
        """

    def patch(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> bytes | None:
        """Write a scan again: the touched blocks, and whatever their bits are tied to.

        All other bits are those of the source. In a sequential scan the coefficients of the touched MCUs are
        needed, of those behind them, and the DC coefficients of those before them.

        Returns
        -------
        bytes or None
            None where the tables have no code for what is new.
        """

    def tokens(self, job: Job) -> Tokens:
        """Turn ``values[rows, columns, 64]`` into the symbols of a scan."""

    def encode(self, job: Job, tokens: Tokens) -> bytes:
        """Write a scan with the tables of a job from the tokens of a job that differs in its tables only."""


def job_of(
    frame: Frame, scan: Scan, values: tuple[Values, ...], touched: tuple[NDArray[np.bool_], ...]
) -> Job:
    """Return the job of a scan, given the coefficients and the touched blocks of each component of the frame.

    A scan of one component has MCUs of one block, and no blocks that only fill up MCUs: T.81 A.2.2.
    """
    is_single = len(scan.components) == 1
    parts = tuple(
        Part(
            values[part.place],
            touched[part.place],
            1 if is_single else frame.components[part.place].h,
            1 if is_single else frame.components[part.place].v,
            part.dc_table,
            part.ac_table,
        )
        for part in scan.components
    )
    only = frame.components[scan.components[0].place]
    mcus = Size(only.columns, only.rows) if is_single else frame.mcus
    return Job(scan, parts, mcus, scan.tables, frame.is_progressive)
