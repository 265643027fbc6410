"""A network that is loaded in the background."""

from collections.abc import Sequence
from concurrent.futures import Future

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.errors import BackendUnavailableError

__all__ = ["BackgroundSession"]


class BackgroundSession:
    """A `Session` that another thread opens; whatever is asked of it waits until it is open.

    Anything may raise ModelError, where the network cannot be loaded.
    """

    def __init__(self, session: Future[Session]) -> None:
        self._session = session
        self._is_closed = False

    @property
    def name(self) -> str:
        """See `Session`."""
        return self._session.result().name

    @property
    def device(self) -> str:
        """See `Session`."""
        return self._session.result().device

    @property
    def batch_size(self) -> int:
        """See `Session`."""
        return self._session.result().batch_size

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`."""
        if self._is_closed:
            message = "this session is closed"
            raise BackendUnavailableError(message)
        return self._session.result().run(batch)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        if not self._is_closed and self._session.exception() is None:
            self._session.result().close()
        self._is_closed = True
