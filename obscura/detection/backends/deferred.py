"""A network that is loaded when it is first needed."""

from collections.abc import Callable, Sequence

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.errors import BackendUnavailableError

__all__ = ["DeferredSession"]


class DeferredSession:
    """A `Session` that is opened by its first run.

    Parameters
    ----------
    opened
        Function that opens the session.
    like
        A session of the same engine with the same options; name, device and batch size are taken from it.
    """

    def __init__(self, opened: Callable[[], Session], like: Session) -> None:
        self._open = opened
        self._session: Session | None = None
        self._is_closed = False
        self.name, self.device, self.batch_size = like.name, like.device, like.batch_size

    @property
    def is_open(self) -> bool:
        """Whether the network is loaded."""
        return self._session is not None

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`; raise ModelError where the network cannot be loaded."""
        if self._is_closed:
            message = "this session is closed"
            raise BackendUnavailableError(message)
        if self._session is None:
            self._session = self._open()
        return self._session.run(batch)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self._is_closed = True
        if self._session is not None:
            self._session.close()
            self._session = None
