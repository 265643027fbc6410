"""Whole scans from coefficients, in Python. Does what ``native/encode.c`` does.

Source: ITU-T T.81 annex F (sequential) and annex G (progressive).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from obscura.jpeg import portable_bits as bits
from obscura.jpeg.codec import Counts, Job, Part
from obscura.jpeg.portable_bits import BitWriter
from obscura.jpeg.structure import COEFFICIENTS, TableKey

_MOST_CORRECTIONS: Final = 1000
_LONGEST_RUN: Final = 0x7FFF
_LONGEST_DC: Final = 15
_LONGEST_ZEROS: Final = 15
_SIXTEEN_ZEROS: Final = 0xF0


class Encoder:
    """Writes one scan. Raises KeyError where a table lacks a code."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._scan = job.scan
        self._flat = [part.values.reshape(-1).data for part in job.parts]
        self._codes = {key: bits.encoding_table(table) for key, table in job.tables.items()}
        self._last = [0] * len(job.parts)
        self._eob_run = 0
        self._run_key = TableKey(is_ac=True, number=0)
        self._corrections: list[int] = []
        self._out = BitWriter()

    def run(self) -> bytes:
        """Return the data of the scan, with restart markers."""
        for segment in range(self._job.segments):
            if segment:
                self._out.restart(segment - 1)
                self._last = [0] * len(self._job.parts)
            for mcu in range(*self._job.bounds(segment)):
                self._encode_mcu(mcu)
            self._put_eob_run()
            self._out.end_segment()
        return self._out.bytes()

    def _put_symbol(self, key: TableKey, symbol: int) -> None:
        self._out.put(*self._codes[key][symbol])

    def _put_value(self, value: int, count: int) -> None:
        self._out.put(value, count)

    def _encode_mcu(self, mcu: int) -> None:
        y, x = divmod(mcu, self._job.mcus.width)
        for index, part in enumerate(self._job.parts):
            self._encode_part(index, part, y, x)

    def _encode_part(self, index: int, part: Part, y: int, x: int) -> None:
        columns, values = part.touched.shape[1], self._flat[index]
        key = TableKey(is_ac=True, number=part.ac_table)
        for by in range(part.v):
            for bx in range(part.h):
                base = COEFFICIENTS * ((y * part.v + by) * columns + x * part.h + bx)
                if self._scan.ss == 0:
                    self._encode_dc(index, part, values[base])
                if self._scan.ss or not self._job.is_progressive:
                    band = values[base + (self._scan.ss or 1) : base + self._scan.se + 1].tolist()
                    self._encode_band(key, band)

    def _encode_dc(self, index: int, part: Part, coefficient: int) -> None:
        """Write a DC difference, or one more bit: F.1.2.1 and G.1.2.1."""
        value = coefficient >> self._scan.al
        if self._scan.ah:
            self._put_value(value & 1, 1)
            return
        difference = value - self._last[index]
        self._last[index] = value
        size = abs(difference).bit_length()
        if size > _LONGEST_DC:
            bits.refuse_damaged()
        self._put_symbol(TableKey(is_ac=False, number=part.dc_table), size)
        self._put_value(bits.as_bits(difference, size), size)

    def _encode_band(self, key: TableKey, band: list[int]) -> None:
        if self._scan.ah:
            self._encode_further(key, band)
        else:
            self._encode_first(key, band)

    def _encode_first(self, key: TableKey, band: Sequence[int]) -> None:
        """Write a band for the first time: F.1.2.2 and G.1.2.2."""
        run, al = 0, self._scan.al
        for coefficient in band:
            magnitude = abs(coefficient) >> al
            if not magnitude:
                run += 1
                continue
            self._put_eob_run()
            while run > _LONGEST_ZEROS:
                self._put_symbol(key, _SIXTEEN_ZEROS)
                run -= 16
            size = magnitude.bit_length()
            self._put_symbol(key, run << 4 | size)
            self._put_value(bits.as_bits(magnitude if coefficient > 0 else -magnitude, size), size)
            run = 0
        if not run:
            return
        if self._job.is_progressive:
            self._end_block(key, [])
        else:
            self._put_symbol(key, 0)

    def _encode_further(self, key: TableKey, band: list[int]) -> None:
        """Write one more bit of a band: G.1.2.3."""
        magnitudes = [abs(coefficient) >> self._scan.al for coefficient in band]
        fresh = [k for k, magnitude in enumerate(magnitudes) if magnitude == 1]
        last_fresh = fresh[-1] if fresh else -1
        run, pending = 0, list[int]()
        for k, magnitude in enumerate(magnitudes):
            if not magnitude:
                run += 1
                continue
            while run > _LONGEST_ZEROS and k <= last_fresh:
                self._put_fresh(key, _SIXTEEN_ZEROS, None, pending)
                run -= 16
            if magnitude > 1:
                pending.append(magnitude & 1)
                continue
            self._put_fresh(key, run << 4 | 1, int(band[k] > 0), pending)
            run = 0
        if run or pending:
            self._end_block(key, pending)

    def _put_fresh(self, key: TableKey, symbol: int, sign: int | None, pending: list[int]) -> None:
        """Write a symbol, the sign that belongs to it, and the corrections before it."""
        self._put_eob_run()
        self._put_symbol(key, symbol)
        if sign is not None:
            self._put_value(sign, 1)
        for bit in pending:
            self._put_value(bit, 1)
        pending.clear()

    def _end_block(self, key: TableKey, pending: list[int]) -> None:
        """Add a block to the run of those that end here."""
        self._run_key = key
        self._eob_run += 1
        self._corrections += pending
        if self._eob_run == _LONGEST_RUN or len(self._corrections) > _MOST_CORRECTIONS - COEFFICIENTS:
            self._put_eob_run()

    def _put_eob_run(self) -> None:
        if not self._eob_run:
            return
        size = self._eob_run.bit_length() - 1
        self._put_symbol(self._run_key, size << 4)
        self._put_value(self._eob_run & ((1 << size) - 1), size)
        self._eob_run = 0
        for bit in self._corrections:
            self._put_value(bit, 1)
        self._corrections.clear()


class _Counter(Encoder):
    """Counts symbols instead of writing them."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.counts = np.zeros((8, 256), np.uint32)

    def _put_symbol(self, key: TableKey, symbol: int) -> None:
        self.counts[4 * key.is_ac + key.number, symbol] += 1

    def _put_value(self, value: int, count: int) -> None:
        """Write nothing."""


def count_symbols(job: Job) -> Counts:
    """See `Codec.count`."""
    counter = _Counter(job)
    counter.run()
    return counter.counts
