"""Scans in, scans out: the hidden blocks replaced, every other coefficient as it was."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from obscura.imaging.formats import Buffer
from obscura.jpeg.codec import Clean, Codec, Counts, Job, Values, job_of
from obscura.jpeg.cover import replaced
from obscura.jpeg.header import CodedScan
from obscura.jpeg.huffman import optimal
from obscura.jpeg.patches import Patch, Touched, by_block, touched_mcus
from obscura.jpeg.structure import COEFFICIENTS, HuffmanTable, Structure, TableKey
from obscura.redaction.mosaic import Entropy


@dataclass(frozen=True, eq=False, slots=True)
class _Work:
    """A file and what is to be done to it."""

    data: Buffer
    structure: Structure
    covers: Sequence[Patch]
    entropy: Entropy
    codec: Codec
    touched: tuple[Touched, ...]

    def by_bits(self) -> tuple[CodedScan, ...] | None:
        """Splice sequential scans; None where a table lacks a code."""
        planes = tuple(np.zeros(touched.shape, np.int16) for touched in self.touched)
        jobs = self._jobs(planes)
        cleans = [self.codec.clean(job, self._data_of(job)) for job in jobs]
        ends = [self.codec.dc_scan(job, clean) for job, clean in zip(jobs, cleans, strict=True)]
        fresh = tuple(replaced(self.structure, planes, self.covers, self.entropy))
        coded = [
            CodedScan(job.scan, spliced)
            for job, clean, behind in zip(self._jobs(fresh), cleans, ends, strict=True)
            if (spliced := self.codec.splice(job, clean, behind)) is not None
        ]
        return tuple(coded) if len(coded) == len(jobs) else None

    def through_coefficients(self) -> tuple[CodedScan, ...]:
        """Read all coefficients and write the scans again."""
        values = tuple(np.zeros((*touched.shape, COEFFICIENTS), np.int16) for touched in self.touched)
        read = [self._read(job) for job in self._jobs(values)]
        planes = [np.ascontiguousarray(part[..., 0]) for part in values]
        fresh = replaced(self.structure, planes, self.covers, self.entropy)
        for part, plane, touched in zip(values, fresh, self.touched, strict=True):
            part[touched] = 0
            part[touched, 0] = plane[touched]
        return tuple(self._patched(*item) or self._encoded(item[0]) for item in read)

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


def _fitting(job: Job, counts: Counts) -> dict[TableKey, HuffmanTable]:
    """Return the best tables for symbols that occur so often."""
    return {key: optimal(counts[4 * key.is_ac + key.number].tolist()) for key in job.tables}


def recode(
    data: Buffer, structure: Structure, covers: Sequence[Patch], entropy: Entropy, codec: Codec
) -> tuple[CodedScan, ...]:
    """Return the scans of a file with the blocks under ``covers`` replaced.

    A scan keeps its Huffman tables, and its bits wherever nothing changes; where its tables have no code for
    something new, it is written anew with tables that fit.

    Raises
    ------
    NotSpliceableError
        If the entropy-coded data are damaged.
    """
    codec.require_feasible(structure.frame, len(structure.scans))
    mcus = touched_mcus(structure.frame, covers)
    touched = tuple(by_block(mcus, component) for component in structure.frame.components)
    work = _Work(data, structure, covers, entropy, codec, touched)
    if structure.frame.is_progressive:
        return work.through_coefficients()
    return work.by_bits() or work.through_coefficients()
