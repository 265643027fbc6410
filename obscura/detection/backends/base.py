"""What a running model looks like, whichever engine runs it."""

from typing import Protocol

from obscura.detection.arrays import Floats

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

    def run(self, batch: Floats) -> Floats:
        """Return the raw output ``[b, 4 + classes, anchors]`` for a batch ``[b, 3, height, width]``.

        The batch is RGB in 0..1; height and width are multiples of 32 and may differ from call to call.
        """
        ...

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        ...
