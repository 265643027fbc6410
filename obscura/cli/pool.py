"""Process many files: in this process, in several processes, or on a server."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from obscura.cli.files import FoundPhoto
from obscura.errors import ObscuraError, WorkerLostError

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

LOOK_S = 0.2
__all__ = ["Answer", "Line", "Progress", "Stop", "Worker", "in_processes", "in_this_process", "in_threads"]

Line: TypeAlias = dict[str, Any]
Progress: TypeAlias = Callable[[FoundPhoto, str, int, int], None]
"""Called with a video, the stage, the frames done and in all."""

Worker: TypeAlias = Callable[[FoundPhoto, Progress], Line]
MakeWorker: TypeAlias = Callable[[], Worker]
ProgressQueue: TypeAlias = "SimpleQueue[tuple[FoundPhoto, str, int, int] | None]"


@dataclass(frozen=True)
class Answer:
    """What came of one file: its line, or the error that it met."""

    photo: FoundPhoto
    line: Line
    error: ObscuraError | None = None


def _attempt(worker: Worker, photo: FoundPhoto, progress: Progress) -> Answer:
    line: Line = {"path": str(photo.path)}
    try:
        return Answer(photo, line | worker(photo, progress))
    except ObscuraError as error:
        return Answer(photo, line, error)


class Stop:
    """Ctrl-C: what has begun ends and is kept, nothing more is begun; a second one ends all at once."""

    def __init__(self) -> None:
        self.is_set = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True


def in_this_process(
    worker: Worker, photos: Iterable[FoundPhoto], progress: Progress, stop: Stop
) -> Iterator[Answer]:
    """Work on one file after the other."""
    for photo in photos:
        if stop.is_set:
            return
        yield _attempt(worker, photo, progress)


def in_threads(
    worker: Worker, photos: Iterable[FoundPhoto], progress: Progress, count: int, stop: Stop
) -> Iterator[Answer]:
    """Work on ``count`` files at a time; for a worker that mostly waits."""
    with ThreadPoolExecutor(count) as pool:
        yield from _in_pool(lambda photo: pool.submit(_attempt, worker, photo, progress), photos, count, stop)


def _in_pool(
    submit: Callable[[FoundPhoto], Future[Answer]], photos: Iterable[FoundPhoto], count: int, stop: Stop
) -> Iterator[Answer]:
    waiting = iter(photos)
    pending: set[Future[Answer]] = set()
    while True:
        while not stop.is_set and len(pending) < count + 1 and (photo := next(waiting, None)) is not None:
            pending.add(submit(photo))
        if stop.is_set:
            pending = {future for future in pending if not future.cancel()}
        if not pending:
            return
        done, pending = wait(pending, timeout=LOOK_S, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


# --- several processes ------------------------------------------------------------------------------

_worker: Worker | None = None
_told: "ProgressQueue | None" = None


def _start(make: MakeWorker, told: "ProgressQueue") -> None:
    global _worker, _told
    # The terminal sends Ctrl-C to all; this process decides what becomes of its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker, _told = make(), told


def _tell(photo: FoundPhoto, stage: str, done: int, total: int) -> None:
    if _told is not None:
        _told.put((photo, stage, done, total))


def _work(photo: FoundPhoto) -> Answer:
    assert _worker is not None  # noqa: S101 - `_start` has run
    return _attempt(_worker, photo, _tell)


@contextmanager
def _pool(make: MakeWorker, progress: Progress, count: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned: an engine's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    told: ProgressQueue = context.SimpleQueue()

    def listen() -> None:
        while (item := told.get()) is not None:
            progress(*item)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    with ProcessPoolExecutor(count, context, initializer=_start, initargs=(make, told)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            # Asked for twice: what is in work is given up. Results take their place only once they are whole.
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            told.put(None)
            listener.join()


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Have processes that are started inside begin with Ctrl-C blocked: they would say so in a traceback.

    Ctrl-C that comes to this process meanwhile is heard at the end.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It sets the mask for its own process, and sets it back otherwise than it was.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _submit(pool: ProcessPoolExecutor, photo: FoundPhoto) -> Future[Answer]:
    # The pool starts its processes as work comes.
    with _deaf_children():
        return pool.submit(_work, photo)


def in_processes(
    make: MakeWorker, photos: Iterable[FoundPhoto], progress: Progress, count: int, stop: Stop
) -> Iterator[Answer]:
    """Work on ``count`` files at a time, each in a process; a file that kills its process fails alone."""
    left = {photo.path: photo for photo in photos}
    try:
        with _pool(make, progress, count) as pool:
            for answer in _in_pool(partial(_submit, pool), list(left.values()), count, stop):
                del left[answer.photo.path]
                yield answer
    except BrokenProcessPool:
        # Which of those in work was it? One at a time, each with a process of its own, tells.
        for photo in list(left.values()):
            if stop.is_set:
                return
            yield _alone(make, photo, progress)


def _alone(make: MakeWorker, photo: FoundPhoto, progress: Progress) -> Answer:
    try:
        with _pool(make, progress, 1) as pool:
            return _submit(pool, photo).result()
    except BrokenProcessPool:
        return Answer(photo, {"path": str(photo.path)}, WorkerLostError("the file ended its process"))


def process_count(wanted: int, files: int) -> int:
    """Return how many processes to use; 0 asks for one per core, eight at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted or min(cores, 8), files))
