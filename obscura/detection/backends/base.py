"""The protocol of an inference session."""

from collections.abc import Sequence
from typing import Protocol

from obscura.detection.arrays import Floats, Pixels

__all__ = ["Session"]


class Session(Protocol):
    """A loaded YOLOv8 model."""

    @property
    def name(self) -> str:
        """Name of the engine, with the arithmetic where it is not f32."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, such as ``"cpu"`` or ``"cuda:0"``."""
        ...

    @property
    def batch_size(self) -> int:
        """How many pictures at once are worth it: 1 on CPUs, which gain nothing by more."""
        ...

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return the raw output ``[b, 4 + classes, anchors]`` for pictures ``uint8[height, width, 3]``, RGB.

        All pictures of a batch have one size, whose sides are multiples of 32; it may differ from call to
        call. Bytes go in, not fractions: they are a quarter of the memory, and the engine turns them into
        its own numbers and order where that costs nothing, on a GPU behind the bus.
        """
        ...

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        ...
