"""The components of a frame as arrays that can be painted in place."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from obscura.errors import UnsupportedFormatError

__all__ = ["BITS_8", "Plane", "paintable", "planes"]

# Planar and little-endian, as the encoders take them; 10 bits are kept.
PLANAR: Final = frozenset(
    {f"yuv{sampling}p{depth}" for sampling in ("420", "422", "444") for depth in ("", "10le")}
    | {f"yuvj{sampling}p" for sampling in ("420", "422", "444")}
)
SAME_LAYOUT: Final = {"nv12": "yuv420p", "p010le": "yuv420p10le", "yuv440p": "yuv444p"}
BITS_8: Final = 8

Plane: TypeAlias = NDArray[Any]
"""``uint8`` or ``uint16`` ``[height, width]``: one component of a frame, writable, in place."""


def paintable(frame: VideoFrame) -> VideoFrame:
    """Return a frame with planes that may be written to: this one, or a copy in the nearest layout."""
    name = frame.format.name
    if name not in PLANAR:
        frame = frame.reformat(format=SAME_LAYOUT.get(name, "yuv420p"))
    frame.make_writable()
    return frame


def planes(frame: VideoFrame) -> Iterator[Plane]:
    """Yield the components of a frame as arrays over its own memory."""
    for number, plane in enumerate(frame.planes):
        component = frame.format.components[number]
        if not component.bits:
            message = f"frames of the layout {frame.format.name} cannot be painted"
            raise UnsupportedFormatError(message)
        dtype = np.dtype(np.uint8 if component.bits == BITS_8 else "<u2")
        line = plane.line_size // dtype.itemsize
        values = np.frombuffer(memoryview(plane), dtype, count=line * plane.height)
        yield values.reshape(plane.height, line)[:, : plane.width]
