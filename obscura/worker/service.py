"""Services: task, handlers, and the context that handlers are built with."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from obscura.contract import ObjectClass, Step, TaskSpec
from obscura.jobs import Claimed
from obscura.jobs.commands import NOTHING
from obscura.observability import Stage, stage
from obscura.settings import Settings
from obscura.storage import Storage

if TYPE_CHECKING:
    # A worker without a network of its own need not load what runs one.
    from obscura.detection.detector import Detector

__all__ = ["Handler", "LeaseLostError", "Service", "WorkerContext", "concurrency", "threads"]


class LeaseLostError(Exception):
    """A step is no longer its worker's: the job was erased, or somebody else took the step over."""


class ExtendLease(Protocol):
    """See ``Tools``."""

    def __call__(self, claimed: Claimed, fields: Mapping[str, str] = NOTHING, /) -> None: ...


@dataclass(frozen=True)
class WorkerContext:
    """What a handler is built with, once in every process, after the fork.

    Attributes
    ----------
    settings, storage
        Of this installation.
    hold
        To be called between the parts of a long step: makes its claim last, and raises `LeaseLostError` where
        it does not hold any more. Fields that are handed over tell how far the step is.
    detectors
        Those that are loaded: services of one process share them.
    """

    settings: Settings
    storage: Storage
    extend_lease: ExtendLease
    detectors: "dict[ObjectClass, Detector]" = field(default_factory=dict)

    def read(self, key: str) -> bytes:
        """Return a stored object; see `Storage.get`."""
        with stage(Stage.READ):
            return self.storage.get(key)

    def store(self, key: str, data: bytes) -> None:
        """Store an object; see `Storage.put`."""
        with stage(Stage.STORE):
            self.storage.put(key, data)


Handler = Callable[[Claimed], Mapping[str, str]]


@dataclass(frozen=True)
class Service:
    """One kind of work: its task, the check at start, and how to build the handler.

    ``check`` runs before any process is forked and raises what makes serving impossible; ``build`` loads
    the model, warms it up, and returns a handler for each of the task's steps: from the claimed step to the
    fields of its outcome.
    """

    spec: TaskSpec
    build: Callable[[WorkerContext], Mapping[Step, Handler]]
    check: Callable[[Settings], None]


def concurrency(settings: Settings) -> int:
    """Return how many processes a worker of this installation has."""
    return settings.concurrency or len(os.sched_getaffinity(0))


def threads(settings: Settings) -> int:
    """Return how many threads one inference of this installation uses."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // concurrency(settings))
