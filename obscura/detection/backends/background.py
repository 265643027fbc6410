"""A network that is loaded in the background, or when it is first needed."""

from collections.abc import Callable, Sequence

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.errors import BackendUnavailableError

__all__ = ["BackgroundSession"]


class BackgroundSession:
    """A `Session` that is opened in another thread; every call waits until it is open.

    Anything may raise ModelError, where the network cannot be loaded.

    Parameters
    ----------
    opened
        Returns the open session, the same for every call: the result of a future, or a cached function.
    """

    def __init__(self, opened: Callable[[], Session]) -> None:
        self._opened = opened

    @property
    def name(self) -> str:
        """See `Session`."""
        return self._opened().name

    @property
    def device(self) -> str:
        """See `Session`."""
        return self._opened().device

    @property
    def batch_size(self) -> int:
        """See `Session`."""
        return self._opened().batch_size

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`."""
        return self._opened().run(batch)

    def close(self) -> None:
        """Let go of the model; calling it again does nothing."""
        self._opened = _closed


def _closed() -> Session:
    message = "this session is closed"
    raise BackendUnavailableError(message)
