"""Huffman tables that fit what is to be written. Standard library only.

Source: ITU-T T.81 annex K.2.
"""

import heapq
from collections.abc import Sequence
from typing import Final

from obscura.jpeg.structure import HuffmanTable

_LONGEST: Final = 16
_RESERVED: Final = 256
"""A symbol that is never written: it takes the code of all ones, which must not be used."""


def optimal(counts: Sequence[int]) -> HuffmanTable:
    """Return the table that codes symbols which occur ``counts[symbol]`` times in the fewest bits.

    Parameters
    ----------
    counts
        256 numbers; symbols that do not occur get no code.
    """
    lengths = _lengths({symbol: count for symbol, count in enumerate(counts) if count})
    bits = [0] * (max(lengths.values()) + 1)
    for length in lengths.values():
        bits[length] += 1
    bits = _shortened(bits)
    ordered = sorted((length, symbol) for symbol, length in lengths.items() if symbol != _RESERVED)
    return HuffmanTable(bytes(bits[1:]), bytes(symbol for _, symbol in ordered))


def _lengths(counts: dict[int, int]) -> dict[int, int]:
    """Return the length of each symbol's code, as long as need be: figure K.1."""
    lengths = dict.fromkeys([*counts, _RESERVED], 0)
    # Of equal counts the larger symbol comes first, so that the reserved one gets a longest code.
    heap = [(count, -symbol, [symbol]) for symbol, count in counts.items()]
    heap.append((1, -_RESERVED, [_RESERVED]))
    heapq.heapify(heap)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        members = first[2] + second[2]
        for symbol in members:
            lengths[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], min(first[1], second[1]), members))
    return lengths


def _shortened(bits: list[int]) -> list[int]:
    """Return code counts by length with none longer than 16 and without the reserved code: figure K.3."""
    bits = bits + [0] * (_LONGEST + 1 - len(bits))
    for length in range(len(bits) - 1, _LONGEST, -1):
        while bits[length]:
            shorter = length - 2
            while bits[shorter] == 0:
                shorter -= 1
            bits[length] -= 2
            bits[length - 1] += 1
            bits[shorter + 1] += 2
            bits[shorter] -= 1
    longest = max(length for length in range(_LONGEST + 1) if bits[length])
    bits[longest] -= 1
    return bits[: _LONGEST + 1]
