"""Whole scans into coefficients, in Python. Does what ``native/decode.c`` does.

Source: ITU-T T.81 annex F (sequential) and annex G (progressive).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from obscura.jpeg import portable_bits as bits
from obscura.jpeg.codec import Clean, Job, Part
from obscura.jpeg.portable_bits import DecodingTable
from obscura.jpeg.structure import COEFFICIENTS

_LARGEST: Final = 32767
_LONGEST_DC: Final = 15


class Decoder:
    """Reads one scan into the arrays of its job."""

    def __init__(self, job: Job, clean: Clean) -> None:
        self._job = job
        self._scan = job.scan
        self._words = bits.windows(clean)
        self._starts = clean.starts.tolist()
        self._flat = [part.values.reshape(-1).data for part in job.parts]
        dc, ac = (bits.tables_by_number(job.tables, is_ac=is_ac) for is_ac in (False, True))
        self._dc = {number: bits.decoding_table(table) for number, table in dc.items()}
        self._ac = {number: bits.decoding_table(table) for number, table in ac.items()}
        self._last = [0] * len(job.parts)
        self._at = 0
        self._eob_run = 0

    def run(self) -> NDArray[np.int64]:
        """Read all restart intervals; return where each MCU ends, as `Codec.decode` does."""
        width = self._job.mcus.width
        ends: list[int] = []
        for segment in range(self._job.segments):
            self._at, limit = 8 * self._starts[segment], 8 * self._starts[segment + 1]
            self._last = [0] * len(self._job.parts)
            self._eob_run = 0
            for mcu in range(*self._job.bounds(segment)):
                y, x = divmod(mcu, width)
                for index, part in enumerate(self._job.parts):
                    self._decode_part(index, part, y, x, limit)
                ends.append(-1 if self._eob_run else self._at)
            ends[-1] = self._at
        return np.array(ends, np.int64)

    def read(self, ends: NDArray[np.int64], wanted: NDArray[np.bool_]) -> None:
        """Read some MCUs of a sequential scan, as `Codec.read` does."""
        step = self._job.scan.restart or self._job.mcus.pixels
        for mcu in np.flatnonzero(wanted).tolist():
            segment, place = divmod(mcu, step)
            self._at = int(ends[mcu - 1]) if place else 8 * self._starts[segment]
            self._last = [0] * len(self._job.parts)
            y, x = divmod(mcu, self._job.mcus.width)
            for index, part in enumerate(self._job.parts):
                self._decode_part(index, part, y, x, 8 * self._starts[segment + 1])

    def _decode_part(self, index: int, part: Part, y: int, x: int, limit: int) -> None:
        columns = part.touched.shape[1]
        for by in range(part.v):
            for bx in range(part.h):
                block = (y * part.v + by) * columns + x * part.h + bx
                self._decode_block(index, part, COEFFICIENTS * block)
                if self._at > limit:
                    bits.refuse_damaged()

    def _decode_block(self, index: int, part: Part, base: int) -> None:
        scan, values = self._scan, self._flat[index]
        if scan.ss == 0:
            self._decode_dc(index, part, base)
            if not self._job.is_progressive:
                self._decode_ac_first(self._ac[part.ac_table], values, base)
        elif scan.ah:
            self._decode_ac_further(self._ac[part.ac_table], values, base)
        else:
            self._decode_ac_first(self._ac[part.ac_table], values, base)

    def _take(self, count: int) -> int:
        value = bits.value_at(self._words, self._at, count)
        self._at += count
        return value

    def _take_symbol(self, table: DecodingTable) -> int:
        at = self._at
        length, symbol = table.codes[self._words[at >> 3] >> (48 - (at & 7)) & 0xFFFF]
        if not length:
            bits.refuse_damaged()
        self._at = at + length
        return symbol

    def _decode_dc(self, index: int, part: Part, base: int) -> None:
        """Read a DC coefficient, or one more bit of it: F.2.2.1 and G.1.2.1."""
        scan, values = self._scan, self._flat[index]
        if scan.ah:
            if self._take(1):
                values[base] |= 1 << scan.al
            return
        size = self._take_symbol(self._dc[part.dc_table])
        if size > _LONGEST_DC:
            bits.refuse_damaged()
        self._last[index] += bits.extended(self._take(size), size)
        values[base] = _fitting(self._last[index] << scan.al)

    def _decode_ac_first(self, table: DecodingTable, values: memoryview, base: int) -> None:
        """Take a first look at a band of AC coefficients: F.2.2.2 and G.1.2.2."""
        if self._eob_run:
            self._eob_run -= 1
            return
        scan = self._scan
        k = scan.ss or 1
        while k <= scan.se:
            symbol = self._take_symbol(table)
            run, size = symbol >> 4, symbol & 15
            if size == 0 and run != bits.ZERO_RUN:
                if self._job.is_progressive:
                    self._eob_run = (1 << run) + self._take(run) - 1
                return
            k += run
            if size:
                value = bits.extended(self._take(size), size) << scan.al
                if k > scan.se:
                    bits.refuse_damaged()
                values[base + k] = _fitting(value)
            k += 1

    def _decode_ac_further(self, table: DecodingTable, values: memoryview, base: int) -> None:
        """Take a further look at a band: G.1.2.3."""
        scan = self._scan
        k = scan.ss
        while k <= scan.se and not self._eob_run:
            symbol = self._take_symbol(table)
            run, size = symbol >> 4, symbol & 15
            if size > 1:
                bits.refuse_damaged()
            if size == 0 and run != bits.ZERO_RUN:
                self._eob_run = (1 << run) + self._take(run)
                break
            fresh = (1 if self._take(1) else -1) << scan.al if size else 0
            k = self._correct_over(values, base, k, run)
            if fresh:
                if k > scan.se:
                    bits.refuse_damaged()
                values[base + k] = fresh
            k += 1
        if self._eob_run:
            self._eob_run -= 1
            self._correct_over(values, base, k, COEFFICIENTS)

    def _correct_over(self, values: memoryview, base: int, k: int, skip: int) -> int:
        """Read a bit of each non-zero coefficient; return the place behind ``skip`` zero ones."""
        bit = 1 << self._scan.al
        while k <= self._scan.se:
            value = values[base + k]
            if value == 0:
                skip -= 1
                if skip < 0:
                    return k
            elif self._take(1) and not value & bit:
                values[base + k] = _fitting(value + bit if value > 0 else value - bit)
            k += 1
        return k


def _fitting(value: int) -> int:
    """Return a coefficient that any decoder can hold."""
    if not -_LARGEST <= value <= _LARGEST:
        bits.refuse_damaged()
    return value
