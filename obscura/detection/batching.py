"""Batch inference over pictures of several jobs.

A GPU does sixteen pictures in little more time than one. Whoever has several photos in work at once, in
threads, shares one session through this: the pictures of whoever asks within a few milliseconds run together.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from obscura.detection.arrays import Floats, Pixels
from obscura.detection.backends.base import Session
from obscura.errors import BackendUnavailableError

__all__ = ["BatchingSession"]

BUDGET_S = 0.004
"""Seconds that a picture waits for others at most: an eighth of what a small network takes on a small GPU."""


class _Asked:
    """Pictures of one caller, and where their answer goes."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.pictures = pictures
        self.answer: Future[Floats] = Future()
        self.since = time.monotonic()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pictures[0].shape


class BatchingSession:
    """A session for many threads: calls with pictures of one size that come together run together.

    A batch runs when it is full, or when its first picture has waited for the budget. Pictures of another
    size wait for their own batch; the one that has waited longest comes first, so none starves. While a batch
    runs the next one fills: a busy GPU makes batches large by itself, an idle one makes nobody wait for more
    than the budget.
    """

    def __init__(self, session: Session, most: int | None = None, budget_s: float = BUDGET_S) -> None:
        self._session = session
        self._most = most or session.batch_size
        self._budget_s = budget_s
        self._waiting: list[_Asked] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="batching", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """See `Session`."""
        return self._session.name

    @property
    def device(self) -> str:
        """See `Session`."""
        return self._session.device

    @property
    def batch_size(self) -> int:
        """See `Session`."""
        return self._most

    def run(self, batch: Sequence[Pixels]) -> Floats:
        """See `Session.run`; returns when the answer is there."""
        asked = _Asked(batch)
        with self._changed:
            if self._is_closed:
                message = "this session is closed"
                raise BackendUnavailableError(message)
            self._waiting.append(asked)
            self._changed.notify()
        return asked.answer.result()

    def close(self) -> None:
        """End the thread once nobody waits any more, and free the model."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        self._session.close()

    def _work(self) -> None:
        while chosen := self._next():
            try:
                output = self._session.run([picture for asked in chosen for picture in asked.pictures])
            except Exception as error:  # noqa: BLE001 - it belongs to those who asked
                for asked in chosen:
                    asked.answer.set_exception(error)
                continue
            start = 0
            for asked in chosen:
                asked.answer.set_result(output[start : start + len(asked.pictures)])
                start += len(asked.pictures)

    def _next(self) -> list[_Asked]:
        """Wait for a batch and take it; empty when the session is closed and nobody waits."""
        with self._changed:
            while True:
                if not self._waiting:
                    if self._is_closed:
                        return []
                    self._changed.wait()
                    continue
                chosen = self._together()
                left = chosen[0].since + self._budget_s - time.monotonic()
                if self._is_closed or left <= 0 or sum(len(asked.pictures) for asked in chosen) >= self._most:
                    for asked in chosen:
                        self._waiting.remove(asked)
                    return chosen
                self._changed.wait(left)

    def _together(self) -> list[_Asked]:
        """Return whoever can run with the one that has waited longest, as many as fit."""
        first = self._waiting[0]
        chosen, room = [first], self._most - len(first.pictures)
        for asked in self._waiting[1:]:
            if asked.shape == first.shape and len(asked.pictures) <= room:
                chosen.append(asked)
                room -= len(asked.pictures)
        return chosen
