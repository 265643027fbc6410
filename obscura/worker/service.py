"""Services: task, handlers, and the context that handlers are built with."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from obscura.contract import ObjectClass, Step, TaskSpec
from obscura.jobs import Claimed
from obscura.jobs.commands import NO_FIELDS
from obscura.observability import Stage, stage
from obscura.settings import Settings
from obscura.storage import Storage

if TYPE_CHECKING:
    # Workers that run no network must not import the inference backends.
    from obscura.detection.extra import ObjectDetector

__all__ = ["Handler", "LeaseLostError", "Service", "WorkerContext", "concurrency", "threads"]


class LeaseLostError(Exception):
    """The lease does not hold any more: the job was erased, or another worker took the step over."""


class ExtendLease(Protocol):
    """The type of `WorkerContext.extend_lease`."""

    def __call__(self, claimed: Claimed, fields: Mapping[str, str] = NO_FIELDS, /) -> None: ...


@dataclass(frozen=True)
class WorkerContext:
    """What the handlers of a process work with; one per pool process, built after the fork.

    Attributes
    ----------
    settings, storage
        Of this installation.
    extend_lease
        Call it between the parts of a long step. It extends the lease of the claimed step, writes the given
        record fields (progress), and raises `LeaseLostError` if the lease does not hold any more.
    detectors
        The loaded detectors by class, shared by the services of the process.
    """

    settings: Settings
    storage: Storage
    extend_lease: ExtendLease
    detectors: "dict[ObjectClass, ObjectDetector]" = field(default_factory=dict)

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
    """One kind of work that a worker serves.

    Attributes
    ----------
    spec
        The Celery task with its queue and steps.
    build
        Loads and warms up the models in a pool process; returns a handler for every step of the task. A
        handler gets the claimed step and returns the record fields of its outcome.
    check
        Runs in the main process before any fork; raises ObscuraError if the service cannot work.
    """

    spec: TaskSpec
    build: Callable[[WorkerContext], Mapping[Step, Handler]]
    check: Callable[[Settings], None]


def concurrency(settings: Settings) -> int:
    """Return the number of pool processes of a worker."""
    return settings.concurrency or len(os.sched_getaffinity(0))


def threads(settings: Settings) -> int:
    """Return the number of threads of one inference."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // concurrency(settings))
