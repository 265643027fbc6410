"""The protocol of an inference session."""

from collections.abc import Sequence
from typing import Protocol

from obscura.detection.arrays import Floats, Pixels

__all__ = ["Session"]


class Session(Protocol):
    """A loaded YOLOv8 model."""

    @property
    def name(self) -> str:
        """Name of the engine, with the precision where it is not f32."""
        ...

    @property
    def device(self) -> str:
        """Device that it runs on, such as ``"cpu"`` or ``"cuda:0"``."""
        ...

    @property
    def batch_size(self) -> int:
        """Number of pictures that one run should take: 1 on CPUs, where larger batches gain nothing."""
        ...

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """Return the raw output ``[b, 4 + classes, anchors]`` for pictures ``uint8[height, width, 3]``, RGB.

        All pictures of a batch have one size, whose sides are multiples of 32; it may differ from call to
        call. Inputs are uint8, a quarter of the memory of float32; the engine converts them to its own type
        and layout, on a GPU after the transfer.
        """
        ...

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        ...
