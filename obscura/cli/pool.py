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

POLL_S = 0.2
__all__ = ["Answer", "Line", "Progress", "Stop", "Worker", "in_processes", "in_this_process", "in_threads"]

Line: TypeAlias = dict[str, Any]
Progress: TypeAlias = Callable[[FoundPhoto, str, int, int], None]
"""Called with a video, its stage, the number of frames done, and that of all frames."""

Worker: TypeAlias = Callable[[FoundPhoto, Progress], Line]
MakeWorker: TypeAlias = Callable[[], Worker]
ProgressQueue: TypeAlias = "SimpleQueue[tuple[FoundPhoto, str, int, int] | None]"


@dataclass(frozen=True)
class Answer:
    """The result of one file: its output line, and the error if it failed."""

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
    """Handles Ctrl-C: the first lets files in work finish and starts no more; the second stops at once."""

    def __init__(self) -> None:
        self.is_set = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True


def in_this_process(
    worker: Worker, photos: Iterable[FoundPhoto], progress: Progress, stop: Stop
) -> Iterator[Answer]:
    """Process one file after the other."""
    for photo in photos:
        if stop.is_set:
            return
        yield _attempt(worker, photo, progress)


def in_threads(
    worker: Worker, photos: Iterable[FoundPhoto], progress: Progress, count: int, stop: Stop
) -> Iterator[Answer]:
    """Process ``count`` files at a time; for a worker that mostly waits."""
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
        done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


# --- several processes ------------------------------------------------------------------------------

_worker: Worker | None = None
_progress: "ProgressQueue | None" = None


def _start(make: MakeWorker, progress: "ProgressQueue") -> None:
    global _worker, _progress
    # The terminal sends Ctrl-C to all processes; the parent decides when its children stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker, _progress = make(), progress


def _report(photo: FoundPhoto, stage: str, done: int, total: int) -> None:
    if _progress is not None:
        _progress.put((photo, stage, done, total))


def _work(photo: FoundPhoto) -> Answer:
    assert _worker is not None  # noqa: S101 - `_start` has run
    return _attempt(_worker, photo, _report)


@contextmanager
def _pool(make: MakeWorker, progress: Progress, count: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned, because the threads of an inference engine do not survive a fork.
    context = multiprocessing.get_context("spawn")
    reports: ProgressQueue = context.SimpleQueue()

    def listen() -> None:
        while (item := reports.get()) is not None:
            progress(*item)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    with ProcessPoolExecutor(count, context, initializer=_start, initargs=(make, reports)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            # The second Ctrl-C: files in work are abandoned. Results replace files only when complete.
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            reports.put(None)
            listener.join()


@contextmanager
def _children_without_interrupt() -> Iterator[None]:
    """Start processes with Ctrl-C blocked, so that they print no traceback.

    A Ctrl-C that arrives at this process meanwhile is delivered afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # The resource tracker changes the signal mask when it starts, and does not restore it exactly.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _submit(pool: ProcessPoolExecutor, photo: FoundPhoto) -> Future[Answer]:
    # The pool starts processes on submission.
    with _children_without_interrupt():
        return pool.submit(_work, photo)


def in_processes(
    make: MakeWorker, photos: Iterable[FoundPhoto], progress: Progress, count: int, stop: Stop
) -> Iterator[Answer]:
    """Process ``count`` files at a time, each in a process; a file that kills its process fails alone."""
    left = {photo.path: photo for photo in photos}
    try:
        with _pool(make, progress, count) as pool:
            for answer in _in_pool(partial(_submit, pool), list(left.values()), count, stop):
                del left[answer.photo.path]
                yield answer
    except BrokenProcessPool:
        # One of the files in work ended its process: each remaining file gets a process of its own.
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
