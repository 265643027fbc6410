"""Rewrite lookup tables of version 4 ICC profiles. Standard library only.

Such a table has parts at arbitrary offsets, with unused bytes between them. The length of each part follows
from its content; only that much is copied.

Source: ICC.1:2022, sections 10.6 (curves), 10.12 and 10.13 (tables), 10.18 (parametric curves).
"""

import math
import struct
from typing import Final

PARAMETERS: Final = (1, 3, 4, 5, 7)
"""Number of parameters of a parametric curve, by its function type."""

_HEAD: Final = 32
_MATRIX: Final = 48
_GRID: Final = 20
_GRID_SIDES: Final = 16
_MOST_CHANNELS: Final = 15
_A_TO_B: Final = b"mAB "


def curve_length(data: bytes, at: int = 0) -> int | None:
    """Return the length in bytes of the curve at ``at``, None where there is none.

    Raises
    ------
    struct.error, IndexError
        If the data end inside it.
    """
    match data[at : at + 4]:
        case b"curv":
            return 12 + 2 * int(struct.unpack_from(">I", data, at + 8)[0])
        case b"para":
            return 12 + 4 * PARAMETERS[struct.unpack_from(">H", data, at + 8)[0]]
        case _:
            return None


def neutral_table(data: bytes) -> bytes | None:
    """Return a table without unused bytes, None where it cannot be read.

    Raises
    ------
    struct.error, IndexError
        If the data end inside a part.
    """
    kind, inputs, outputs = data[:4], data[8], data[9]
    if not (1 <= inputs <= _MOST_CHANNELS and 1 <= outputs <= _MOST_CHANNELS):
        return None
    b_at, matrix_at, m_at, grid_at, a_at = struct.unpack_from(">5I", data, 12)
    # B curves belong to the profile connection space, A curves to the device.
    near, far = (outputs, inputs) if kind == _A_TO_B else (inputs, outputs)
    parts = [
        _curves(data, b_at, near),
        _exactly(data, matrix_at, _MATRIX),
        _curves(data, m_at, near),
        _grid(data, grid_at, inputs, outputs),
        _curves(data, a_at, far),
    ]
    if None in parts or not b_at:
        return None
    offsets, body = [], b""
    for part in parts:
        offsets.append(_HEAD + len(body) if part else 0)
        body += part or b""
    return kind + bytes(4) + bytes((inputs, outputs, 0, 0)) + struct.pack(">5I", *offsets) + body


def _exactly(data: bytes, at: int, length: int) -> bytes | None:
    """Return a part of a known length; empty where it is absent, None where it is truncated."""
    part = data[at : at + length] if at else b""
    return part if not at or len(part) == length else None


def _curves(data: bytes, at: int, count: int) -> bytes | None:
    """Return ``count`` curves, each padded to four bytes.

    Empty where they are absent, None where truncated.
    """
    found = b""
    for _ in range(count if at else 0):
        length = curve_length(data, at)
        if length is None or at + length > len(data):
            return None
        # Reserved bytes, four behind the type and two behind a function type, are zeroed.
        reserved = 2 if data[at : at + 4] == b"para" else 0
        found += data[at : at + 4] + bytes(4) + data[at + 8 : at + 12 - reserved] + bytes(reserved)
        found += data[at + 12 : at + length] + bytes(-length % 4)
        at += length + -length % 4
    return found


def _grid(data: bytes, at: int, inputs: int, outputs: int) -> bytes | None:
    """Return the colour lookup grid, padded to four bytes; empty where it is absent, None where truncated."""
    if not at:
        return b""
    sides, width = data[at : at + inputs], data[at + _GRID_SIDES]
    length = _GRID + math.prod(sides) * outputs * width
    if width not in (1, 2) or at + length > len(data):
        return None
    head = sides.ljust(_GRID_SIDES, b"\x00") + bytes((width, 0, 0, 0))
    return head + data[at + _GRID : at + length] + bytes(-length % 4)
