"""A minimal encoder of lossless JPEG (process 14, first-order prediction), for tests of its decoding."""

import struct

import numpy as np
from numpy.typing import NDArray


def encode(pixels: NDArray[np.uint16], bits: int) -> bytes:
    """Return the bitstream of a greyscale picture; ``bits`` is its precision, at most 15."""
    height, width = pixels.shape
    values = pixels.astype(np.int64)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (bits - 1)
    # One code of five bits for each of the 16 categories.
    table = bytes([0, 0, 0, 0, 16, *[0] * 11, *range(16)])
    head = b"\xff\xd8"
    head += b"\xff\xc3" + struct.pack(">HBHHB3B", 11, bits, height, width, 1, 1, 0x11, 0)
    head += b"\xff\xc4" + struct.pack(">HB", 3 + len(table), 0) + table
    head += b"\xff\xda" + struct.pack(">HB2B3B", 8, 1, 1, 0x00, 1, 0, 0)
    words = []
    for difference in (values - predicted).ravel().tolist():
        size = abs(difference).bit_length()
        words.append(format(size, "05b"))
        if size:
            extra = difference if difference > 0 else difference + (1 << size) - 1
            words.append(format(extra, f"0{size}b"))
    text = "".join(words)
    text += "1" * (-len(text) % 8)
    body = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
    return head + body + b"\xff\xd9"
