"""Huffman tables and bits for the portable coder; what ``native/bits.h`` is for the compiled one.

Source: ITU-T T.81 annexes C (tables), F (Huffman coding) and B.1.1.5 (byte stuffing, restart markers).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn, TypeAlias

import numpy as np

from obscura.errors import NotSpliceableError
from obscura.imaging.formats import Buffer
from obscura.jpeg.codec import Clean, Job
from obscura.jpeg.structure import HuffmanTable, TableKey

Windows: TypeAlias = memoryview
"""For each byte of a scan, the 64 bits that begin there."""

PADDING: Final = 1024
WINDOW: Final = 64
LONGEST: Final = 16
ZERO_RUN: Final = 15

_MASK: Final = (1 << WINDOW) - 1
_KEYS: Final = 1 << LONGEST
_RESTART: Final = re.compile(rb"\xff+([\xd0-\xd7])")
_STUFFED: Final = re.compile(rb"\xff+\x00")
_FOREIGN: Final = re.compile(rb"\xff+[^\x00\xff]")
_FLUSH: Final = 1 << 15


@dataclass(frozen=True, eq=False, slots=True)
class DecodingTable:
    """A table for reading.

    Attributes
    ----------
    codes
        By the next 16 bits: length of the code (0 for none) and its symbol.
    strides
        By the next 16 bits: bits of all AC coefficients that lie in them whole, the places in the block that
        those take, and whether an end of block is the last of them.
    """

    codes: list[tuple[int, int]]
    strides: list[tuple[int, int, bool]]


@lru_cache(maxsize=64)
def decoding_table(table: HuffmanTable) -> DecodingTable:
    """Return a table for reading: T.81 C.2 and F.2.2.3."""
    codes = [(0, 0)] * _KEYS
    for symbol, code, length in _assigned(table):
        span = 1 << (LONGEST - length)
        codes[code * span : (code + 1) * span] = [(length, symbol)] * span
    return DecodingTable(codes, _strides(codes))


def encoding_table(table: HuffmanTable) -> dict[int, tuple[int, int]]:
    """Return code and length by symbol."""
    return {symbol: (code, length) for symbol, code, length in _assigned(table)}


def tables_by_number(tables: Mapping[TableKey, HuffmanTable], *, is_ac: bool) -> dict[int, HuffmanTable]:
    """Return the tables of one kind."""
    return {key.number: table for key, table in tables.items() if key.is_ac == is_ac}


def _assigned(table: HuffmanTable) -> list[tuple[int, int, int]]:
    """Return symbol, code and length of all codes: T.81 C.2."""
    found: list[tuple[int, int, int]] = []
    code = 0
    for length, count in enumerate(table.bits, start=1):
        if code + count > 1 << length:
            refuse_damaged()
        for _ in range(count):
            found.append((table.values[len(found)], code, length))
            code += 1
        code <<= 1
    return found


def _strides(codes: list[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """Return `DecodingTable.strides`, by following the codes in all 16-bit windows at once."""
    pairs = np.array(codes, np.int64)
    sizes, runs = pairs[:, 1] & 15, pairs[:, 1] >> 4
    lengths = np.where(pairs[:, 0] > 0, pairs[:, 0] + sizes, _KEYS)
    is_end = (sizes == 0) & (runs != ZERO_RUN)
    places = np.where(is_end, 0, runs + 1)
    keys = np.arange(_KEYS)
    total, taken = np.zeros(_KEYS, np.int64), np.zeros(_KEYS, np.int64)
    ended, going = np.zeros(_KEYS, np.bool_), np.ones(_KEYS, np.bool_)
    while going.any():
        here = keys << total & _KEYS - 1
        going &= total + lengths[here] <= LONGEST
        total += np.where(going, lengths[here], 0)
        taken += np.where(going, places[here], 0)
        ended |= going & is_end[here]
        going &= ~is_end[here]
    return list(zip(total.tolist(), taken.tolist(), ended.tolist(), strict=True))


def clean(job: Job, data: Buffer) -> Clean:
    """Take stuffed bytes and restart markers out of a scan: T.81 B.1.1.5."""
    source = bytes(data).rstrip(b"\xff")
    marks = [found[1][0] for found in _RESTART.finditer(source)]
    if marks != [0xD0 + index % 8 for index in range(job.segments - 1)]:
        refuse_damaged()
    parts = _RESTART.split(source)[::2]
    if any(_FOREIGN.search(part) for part in parts):
        refuse_damaged()
    plain = [_STUFFED.sub(b"\xff", part) for part in parts]
    starts = np.cumsum([0, *map(len, plain)], dtype=np.int64)
    return Clean(np.frombuffer(b"".join([*plain, bytes(PADDING)]), np.uint8), starts)


def windows(cleaned: Clean) -> Windows:
    """Return the 64 bits that begin at each byte."""
    whole = len(cleaned.bits) - WINDOW // 8
    found = np.zeros(whole, np.uint64)
    for index in range(WINDOW // 8):
        found = found << np.uint64(8) | cleaned.bits[index : index + whole]
    return found.data


def value_at(words: Windows, at: int, count: int) -> int:
    """Return up to 32 bits that begin at bit ``at``."""
    return (words[at >> 3] >> (WINDOW - count - (at & 7))) & ((1 << count) - 1)


def extended(value: int, size: int) -> int:
    """Return the number that ``size`` bits stand for: T.81 F.2.2.1, EXTEND."""
    return value - (1 << size) + 1 if size and value < 1 << (size - 1) else value


def as_bits(value: int, size: int) -> int:
    """Return the ``size`` bits that stand for a number: the reverse of `extended`."""
    return (value - (value < 0)) & ((1 << size) - 1)


class BitWriter:
    """Collects bits, and whole segments with restart markers between them."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._segment = bytearray()
        self._bits = 0
        self._count = 0

    def put(self, value: int, count: int) -> None:
        """Write ``count`` bits, however many."""
        self._bits = self._bits << count | value
        self._count += count
        if self._count >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        """Move whole bytes out of the integer that bits are collected in."""
        rest = self._count & 7
        self._segment += (self._bits >> rest).to_bytes(self._count >> 3)
        self._bits &= (1 << rest) - 1
        self._count = rest

    def end_segment(self) -> None:
        """Fill the last byte with ones (T.81 F.1.2.3) and stuff zeros behind bytes of ones."""
        missing = -self._count & 7
        self.put((1 << missing) - 1, missing)
        self._flush()
        self._done += self._segment.replace(b"\xff", b"\xff\x00")
        self._segment.clear()

    def restart(self, index: int) -> None:
        """Write a restart marker behind an ended segment."""
        self._done += bytes((0xFF, 0xD0 + index % 8))

    def bytes(self) -> bytes:
        """Return all ended segments."""
        return bytes(self._done)


def refuse_damaged() -> NoReturn:
    """Raise the error for data that no encoder writes."""
    message = "a JPEG whose picture data are damaged cannot be changed in place"
    raise NotSpliceableError(message)
