"""The coder in Python: for machines without a C compiler. Does what ``native/sequential.c`` does."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from obscura.errors import NotSpliceableError
from obscura.imaging.formats import Buffer
from obscura.jpeg import portable_bits as bits
from obscura.jpeg.codec import Clean, Job, Part, Tokens
from obscura.jpeg.portable_bits import BitWriter, DecodingTable, Windows
from obscura.jpeg.portable_decoder import Decoder
from obscura.jpeg.portable_encoder import Encoder, count_symbols
from obscura.jpeg.portable_patch import Patcher
from obscura.jpeg.structure import COEFFICIENTS, Frame

_LARGEST: Final = 32767
_LONGEST_DC: Final = 15
_MOST_BLOCKS: Final = 1_000_000


class PortableCodec:
    """The coder in Python."""

    name = "portable"

    def require_feasible(self, frame: Frame, scans: int) -> None:
        """Refuse progressive pictures of more than about 4 megapixels: they would take half a minute."""
        if frame.is_progressive and frame.blocks * scans > _MOST_BLOCKS:
            message = "without the compiled coder a progressive JPEG of this size cannot be changed in place"
            raise NotSpliceableError(message)

    def clean(self, job: Job, data: Buffer) -> Clean:
        """See `Codec.clean`."""
        return bits.clean(job, data)

    def dc_scan(self, job: Job, clean: Clean) -> NDArray[np.int64]:
        """See `Codec.survey`."""
        return _DcScan(job, clean).run()

    def splice(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> bytes | None:
        """See `Codec.splice`."""
        try:
            return _Splice(job, clean, ends).run()
        except KeyError:
            return None

    def decode(self, job: Job, clean: Clean) -> NDArray[np.int64]:
        """See `Codec.decode`."""
        return Decoder(job, clean).run()

    def read(self, job: Job, clean: Clean, ends: NDArray[np.int64], wanted: NDArray[np.bool_]) -> None:
        """See `Codec.read`."""
        Decoder(job, clean).read(ends, wanted)

    def patch(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> bytes | None:
        """See `Codec.patch`."""
        try:
            return Patcher(job, clean, ends).run()
        except KeyError:
            return None

    def tokens(self, job: Job) -> Tokens:
        """See `Codec.tokens`; none are kept, as they would take more memory than time."""
        return Tokens(count_symbols(job), None)

    def encode(self, job: Job, tokens: Tokens) -> bytes:  # noqa: ARG002 - see `tokens`
        """See `Codec.encode`."""
        try:
            return Encoder(job).run()
        except KeyError:
            bits.refuse_damaged()


def _offsets(part: Part) -> list[int]:
    """Return where the blocks of an MCU lie, relative to its first, in an array of blocks."""
    columns = part.touched.shape[1]
    return [by * columns + bx for by in range(part.v) for bx in range(part.h)]


def _first(part: Part, y: int, x: int) -> int:
    """Return where the first block of an MCU lies in an array of blocks."""
    return y * part.v * int(part.touched.shape[1]) + x * part.h


def _after_ac(words: Windows, at: int, table: DecodingTable) -> int:
    """Return the bit behind the AC coefficients that begin at bit ``at``."""
    codes, strides = table.codes, table.strides
    k = 1
    while k < COEFFICIENTS:
        key: int = words[at >> 3] >> (48 - (at & 7)) & 0xFFFF
        length, places, is_end = strides[key]
        if length and k + places < COEFFICIENTS:
            at += length
            k += places
            if is_end:
                return at
            continue
        length, symbol = codes[key]
        run, size = symbol >> 4, symbol & 15
        if not length:
            bits.refuse_damaged()
        at += length + size
        if size == 0 and run != bits.ZERO_RUN:
            return at
        k += run + 1
    if k > COEFFICIENTS:
        bits.refuse_damaged()
    return at


def _after_dc(words: Windows, at: int, table: DecodingTable) -> tuple[int, int]:
    """Return the bit behind the DC difference that begins at bit ``at``, and the difference."""
    length, size = table.codes[words[at >> 3] >> (48 - (at & 7)) & 0xFFFF]
    if not length or size > _LONGEST_DC:
        bits.refuse_damaged()
    at += length
    return at + size, bits.extended(bits.value_at(words, at, size), size)


class _DcScan:
    """The first walk over a sequential scan."""

    def __init__(self, job: Job, clean: Clean) -> None:
        self._job = job
        self._words = bits.windows(clean)
        self._starts = clean.starts.tolist()
        dc, ac = (bits.tables_by_number(job.tables, is_ac=is_ac) for is_ac in (False, True))
        self._parts = [
            (
                index,
                part,
                part.values.reshape(-1),
                _offsets(part),
                bits.decoding_table(dc[part.dc_table]),
                bits.decoding_table(ac[part.ac_table]),
            )
            for index, part in enumerate(job.parts)
        ]

    def run(self) -> NDArray[np.int64]:
        """Return the bit behind each MCU; the DC coefficients go into the job's arrays."""
        ends: list[int] = []
        for segment in range(self._job.segments):
            at, limit = 8 * self._starts[segment], 8 * self._starts[segment + 1]
            last = [0] * len(self._parts)
            for mcu in range(*self._job.bounds(segment)):
                at = self._after_mcu(at, limit, mcu, last)
                ends.append(at)
        return np.array(ends, np.int64)

    def _after_mcu(self, at: int, limit: int, mcu: int, last: list[int]) -> int:
        words = self._words
        y, x = divmod(mcu, self._job.mcus.width)
        for index, part, values, offsets, dc, ac in self._parts:
            first = _first(part, y, x)
            for offset in offsets:
                at, difference = _after_dc(words, at, dc)
                at = _after_ac(words, at, ac)
                last[index] += difference
                if at > limit or not -_LARGEST <= last[index] <= _LARGEST:
                    bits.refuse_damaged()
                values[first + offset] = last[index]
        return at


class _Splice:
    """The second walk: see ``native/sequential.c``. Raises KeyError where a table lacks a code."""

    def __init__(self, job: Job, clean: Clean, ends: NDArray[np.int64]) -> None:
        self._job = job
        self._bits = clean.bits.tobytes()
        self._words = bits.windows(clean)
        self._starts = clean.starts.tolist()
        self._ends = ends
        self._out = BitWriter()
        dc, ac = (bits.tables_by_number(job.tables, is_ac=is_ac) for is_ac in (False, True))
        self._reading = [
            (bits.decoding_table(dc[part.dc_table]), bits.decoding_table(ac[part.ac_table]))
            for part in job.parts
        ]
        self._writing = [
            (bits.encoding_table(dc[part.dc_table]), bits.encoding_table(ac[part.ac_table]))
            for part in job.parts
        ]

    def run(self) -> bytes:
        """Return the new scan."""
        touched = self._touched()
        for segment in range(self._job.segments):
            if segment:
                self._out.restart(segment - 1)
            self._splice_segment(segment, touched)
            self._out.end_segment()
        return self._out.bytes()

    def _touched(self) -> NDArray[np.bool_]:
        """Return ``bool[mcus]``."""
        part, mcus = self._job.parts[0], self._job.mcus
        grid = part.touched[:: part.v, :: part.h][: mcus.height, : mcus.width]
        return np.ascontiguousarray(grid).reshape(-1)

    def _splice_segment(self, segment: int, touched: NDArray[np.bool_]) -> None:
        first, stop = self._job.bounds(segment)
        start = 8 * self._starts[segment]
        copied, was_touched, last = start, False, [0] * len(self._job.parts)
        # Only MCUs that are touched, and those behind them, are looked at one by one.
        here = touched[first:stop]
        near = np.flatnonzero(here | np.concatenate(([False], here[:-1]))) + first
        for mcu in near.tolist():
            begin = start if mcu == first else int(self._ends[mcu - 1])
            if not was_touched and mcu > first:
                self._copy(copied, begin)
                last = self._left_by(mcu - 1)
            was_touched = bool(touched[mcu])
            self._put_mcu(begin, mcu, last, is_touched=was_touched)
            copied = int(self._ends[mcu])
        if not was_touched:
            self._copy(copied, int(self._ends[stop - 1]))

    def _left_by(self, mcu: int) -> list[int]:
        """Return the DC coefficients that an MCU leaves behind."""
        y, x = divmod(mcu, self._job.mcus.width)
        return [int(part.values[(y + 1) * part.v - 1, (x + 1) * part.h - 1]) for part in self._job.parts]

    def _put_mcu(self, at: int, mcu: int, last: list[int], *, is_touched: bool) -> None:
        """Write an MCU that is replaced, or whose DC differences are no longer right."""
        y, x = divmod(mcu, self._job.mcus.width)
        for index, part in enumerate(self._job.parts):
            values, first = part.values.reshape(-1), _first(part, y, x)
            (dc_in, ac_in), (dc_out, ac_out) = self._reading[index], self._writing[index]
            for offset in _offsets(part):
                value = int(values[first + offset])
                size = abs(value - last[index]).bit_length()
                self._out.put(*dc_out[size])
                self._out.put(bits.as_bits(value - last[index], size), size)
                last[index] = value
                if is_touched:
                    self._out.put(*ac_out[0])
                    continue
                begin, _ = _after_dc(self._words, at, dc_in)
                at = _after_ac(self._words, begin, ac_in)
                self._copy(begin, at)

    def _copy(self, begin: int, end: int) -> None:
        """Copy bits as they are."""
        stop = -(-end // 8)
        whole = int.from_bytes(self._bits[begin >> 3 : stop]) >> (8 * stop - end)
        self._out.put(whole & ((1 << (end - begin)) - 1), end - begin)
