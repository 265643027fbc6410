"""Scans in, scans out: the hidden blocks replaced, every other coefficient as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from obscura.imaging.formats import Buffer
from obscura.jpeg.codec import Clean, Codec, Counts, Job, Part, Values, job_of
from obscura.jpeg.cover import replaced
from obscura.jpeg.header import CodedScan
from obscura.jpeg.hidden_blocks import HiddenBlocks
from obscura.jpeg.huffman import optimal
from obscura.jpeg.patches import Touched, by_block, touched_mcus
from obscura.jpeg.smooth import Painted, SmoothPainter
from obscura.jpeg.structure import COEFFICIENTS, HuffmanTable, Structure, TableKey
from obscura.redaction.mosaic import Entropy


class Recoded(NamedTuple):
    """Scans, and what their painting took from the picture."""

    scans: tuple[CodedScan, ...]
    painted: Painted


@dataclass(frozen=True, eq=False, slots=True)
class _Work:
    """A file and what is to be done to it."""

    data: Buffer
    structure: Structure
    hidden: HiddenBlocks
    entropy: Entropy
    codec: Codec
    touched: tuple[Touched, ...]

    def by_bits(self) -> Recoded | None:
        """Splice sequential scans; None where a table lacks a code."""
        planes = tuple(np.zeros(touched.shape, np.int16) for touched in self.touched)
        jobs = self._jobs(planes)
        cleans = [self.codec.clean(job, self._data_of(job)) for job in jobs]
        ends = [self.codec.dc_scan(job, clean) for job, clean in zip(jobs, cleans, strict=True)]
        painted, write = Painted(), self.codec.splice
        if not self.hidden.patches:
            fresh = tuple(self._replaced(planes))
        else:
            fresh, write = self._blocks(), self.codec.patch
            for job, clean, behind in zip(self._jobs(fresh), cleans, ends, strict=True):
                self._read_near(job, clean, behind, planes)
            painted = self._paint(fresh, planes)
        coded = [
            CodedScan(job.scan, spliced)
            for job, clean, behind in zip(self._jobs(fresh), cleans, ends, strict=True)
            if (spliced := write(job, clean, behind)) is not None
        ]
        return Recoded(tuple(coded), painted) if len(coded) == len(jobs) else None

    def through_coefficients(self) -> Recoded:
        """Read all coefficients and write the scans again."""
        values = self._blocks()
        read = [self._read(job) for job in self._jobs(values)]
        planes = [np.ascontiguousarray(part[..., 0]) for part in values]
        painted = self._paint(values, planes)
        return Recoded(tuple(self._patched(*item) or self._encoded(item[0]) for item in read), painted)

    def _blocks(self) -> tuple[Values, ...]:
        return tuple(np.zeros((*touched.shape, COEFFICIENTS), np.int16) for touched in self.touched)

    def _replaced(self, planes: Sequence[Values]) -> list[Values]:
        """Return the DC planes with the blocks replaced that are not filled from around."""
        return replaced(self.structure, planes, self.hidden.others, self.hidden.touched, self.entropy)

    def _paint(self, values: Sequence[Values], planes: Sequence[Values]) -> Painted:
        """Replace blocks, in place."""
        fresh = self._replaced(planes) if self.hidden.others else planes
        mcus = touched_mcus(self.structure.frame, self.hidden.others)
        for part, plane, component in zip(values, fresh, self.structure.frame.components, strict=True):
            touched = by_block(mcus, component)
            part[touched] = 0
            part[touched, 0] = plane[touched]
        return SmoothPainter(self.structure, self.hidden).paint(values, planes)

    def _read_near(self, job: Job, clean: Clean, ends: NDArray[np.int64], planes: Sequence[Values]) -> None:
        """Read the coefficients that fills are made of, and those that are tied to touched MCUs."""
        first = job.parts[0]
        wanted = by_block(self.hidden.wanted(), self.structure.frame.components[job.scan.components[0].place])
        near = _by_mcu(job, wanted, first) | _shifted(_by_mcu(job, first.touched, first), 1)
        self.codec.read(job, clean, ends, near)
        known = near | _shifted(_by_mcu(job, first.touched, first), -1)
        for part, place in zip(job.parts, job.scan.components, strict=True):
            mcus = known.reshape(job.mcus.height, job.mcus.width)
            blocks = mcus.repeat(part.v, axis=0).repeat(part.h, axis=1)
            here = (slice(blocks.shape[0]), slice(blocks.shape[1]))
            part.values[here][blocks, 0] = planes[place.place][here][blocks]

    def _read(self, job: Job) -> tuple[Job, Clean, NDArray[np.int64]]:
        clean = self.codec.clean(job, self._data_of(job))
        return job, clean, self.codec.decode(job, clean)

    def _patched(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> CodedScan | None:
        """Return a scan of a progressive frame with its own tables; None where those lack a code."""
        data = self.codec.patch(job, clean, ends) if job.is_progressive else None
        return None if data is None else CodedScan(job.scan, data)

    def _encoded(self, job: Job) -> CodedScan:
        tokens = self.codec.tokens(job)
        fitted = job.with_tables(_fitting(job, tokens.counts))
        return CodedScan(fitted.scan, self.codec.encode(fitted, tokens))

    def _jobs(self, values: tuple[Values, ...]) -> list[Job]:
        frame = self.structure.frame
        return [job_of(frame, scan, values, self.touched) for scan in self.structure.scans]

    def _data_of(self, job: Job) -> Buffer:
        return self.data[job.scan.start : job.scan.end]


def _by_mcu(job: Job, blocks: Touched, part: Part) -> Touched:
    """Return a map of the blocks of a part as one of the MCUs of its scan, ``bool[mcus]``."""
    return np.ascontiguousarray(blocks[:: part.v, :: part.h][: job.mcus.height, : job.mcus.width]).reshape(-1)


def _shifted(mcus: Touched, by: int) -> Touched:
    """Return for each MCU what is true of it or of its neighbour in the scan."""
    other = np.zeros_like(mcus)
    if by > 0:
        other[by:] = mcus[:-by]
    else:
        other[:by] = mcus[-by:]
    return mcus | other


def _fitting(job: Job, counts: Counts) -> dict[TableKey, HuffmanTable]:
    """Return the best tables for symbols that occur so often."""
    return {key: optimal(counts[4 * key.is_ac + key.number].tolist()) for key in job.tables}


def recode(
    data: Buffer, structure: Structure, hidden: HiddenBlocks, entropy: Entropy, codec: Codec
) -> Recoded:
    """Return the scans of a file with its hidden blocks replaced.

    A scan keeps its Huffman tables, and its bits wherever nothing changes; where its tables have no code for
    something new, it is written anew with tables that fit.

    Raises
    ------
    NotSpliceableError
        If the entropy-coded data are damaged.
    """
    codec.require_feasible(structure.frame, len(structure.scans))
    touched = tuple(by_block(hidden.touched, component) for component in structure.frame.components)
    work = _Work(data, structure, hidden, entropy, codec, touched)
    if structure.frame.is_progressive:
        return work.through_coefficients()
    return work.by_bits() or work.through_coefficients()
