"""Scans of progressive frames with a few blocks replaced, in Python: see the end of ``native/encode.c``."""

import numpy as np
from numpy.typing import NDArray

from obscura.jpeg.codec import Clean, Job
from obscura.jpeg.portable_encoder import Encoder


class Patcher(Encoder):
    """Copies the bits of a scan, and writes those anew that touched blocks are tied to.

    Raises KeyError where a table lacks a code.
    """

    def __init__(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> None:
        super().__init__(job)
        self._data = clean.bits.tobytes()
        self._starts = clean.starts.tolist()
        self._ends = ends.tolist()
        first = job.parts[0]
        # An MCU is touched as a whole: its first block tells.
        mcus = first.touched[:: first.v, :: first.h][: job.mcus.height, : job.mcus.width]
        self._touched = mcus.reshape(-1).tolist()
        self._is_predicted = job.scan.ss == 0 and job.scan.ah == 0

    def run(self) -> bytes:
        """Return the data of the scan, with restart markers."""
        for segment in range(self._job.segments):
            if segment:
                self._out.restart(segment - 1)
            self._patch_segment(8 * self._starts[segment], *self._job.bounds(segment))
            self._out.end_segment()
        return self._out.bytes()

    def _patch_segment(self, start: int, first: int, stop: int) -> None:
        copied, clear = start, first
        for mcu in range(first, stop):
            if mcu < clear or not self._touched[mcu]:
                continue
            behind, after = mcu, mcu + 1
            # A run of ends of block is written anew as a whole.
            while behind > clear and self._ends[behind - 1] < 0:
                behind -= 1
            while after < stop and (self._touched[after] or self._depends_on_last(after)):
                after += 1
            self._copy(copied, self._ends[behind - 1] if behind > first else start)
            self._write_anew(first, behind, after)
            copied, clear = self._ends[after - 1], after
        self._copy(copied, self._ends[stop - 1])

    def _depends_on_last(self, mcu: int) -> bool:
        """Return whether an MCU cannot be copied because of those before it."""
        return bool(self._ends[mcu - 1] < 0 or (self._is_predicted and self._touched[mcu - 1]))

    def _copy(self, start: int, stop: int) -> None:
        """Copy bits ``start``..``stop`` of the source."""
        whole = int.from_bytes(self._data[start >> 3 : (stop + 7) >> 3])
        self._out.put(whole >> (-stop & 7) & ((1 << (stop - start)) - 1), stop - start)

    def _write_anew(self, first: int, start: int, stop: int) -> None:
        """Write MCUs from their coefficients."""
        self._last = [0] * len(self._job.parts)
        if start > first and self._scan.ss == 0:
            self._leave(start - 1)
        for mcu in range(start, stop):
            self._encode_mcu(mcu)
        self._put_eob_run()

    def _leave(self, mcu: int) -> None:
        """Take over the DC coefficients that an MCU leaves behind."""
        y, x = divmod(mcu, self._job.mcus.width)
        self._last = [
            int(part.values[(y + 1) * part.v - 1, (x + 1) * part.h - 1, 0]) >> self._scan.al
            for part in self._job.parts
        ]
