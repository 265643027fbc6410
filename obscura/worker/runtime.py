"""Run one step: claim it, call its handler, record the outcome."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import structlog
from celery import Celery

from obscura.contract import Step, StepRequest
from obscura.errors import ObscuraError, ServiceError
from obscura.jobs import Claimed, JobStore, wake_up
from obscura.jobs.celery_app import Outbox
from obscura.jobs.claims import Completed
from obscura.jobs.commands import NOTHING, Call
from obscura.jobs.worker_registry import WorkerRegistry
from obscura.observability import catalogue
from obscura.settings import Settings
from obscura.storage import Storage
from obscura.worker.failures import answer_to, token_of
from obscura.worker.malloc_tuning import HeapTrimmer
from obscura.worker.service import Handler, LeaseLostError, Service, WorkerContext
from obscura.worker.telemetry import StepMeasurement, StepTelemetry

if TYPE_CHECKING:
    from obscura.detection.detector import Detector

__all__ = ["Runtime"]

T = TypeVar("T")
PATIENCE_S = 30.0
AGAIN_S = 0.5
# A step younger than this is not worth asking after.
HOLD_S = 1.0
log = structlog.get_logger(__name__)


def retry(work: Callable[[], T]) -> T:
    """Return the outcome of ``work``, tried again while a service is away, for ``PATIENCE_S`` at most.

    Nothing is lost by waiting here: with the broker away there is nothing else to do, and a message given
    back to a broker that does not answer would hold its place in the consumer for ever.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return work()
        except ServiceError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("service_away", code=error.code)
        time.sleep(AGAIN_S)


class Runtime:
    """What one worker process holds: ledger, storage, and a handler per service."""

    def __init__(self, settings: Settings, services: Sequence[Service], app: Celery) -> None:
        self._letters = Outbox(app)
        self._job_store = JobStore(settings)
        self._storage = Storage.open(settings)
        self.step_telemetry = StepTelemetry(settings, self._job_store.client)
        context = WorkerContext(settings, self._storage, self._extend_lease)
        self._held_at = 0.0
        self._trimmer = HeapTrimmer()
        self.claimed: Claimed | None = None
        self._handlers: dict[Step, Handler] = {}
        for service in services:
            self._handlers.update(service.build(context))
        queues = [service.spec.queue for service in services]
        models = [_model_series(detector) for detector in context.detectors.values()]
        self.presence = WorkerRegistry(token_of(os.getpid()), queues, models)

    def run(self, request: StepRequest, *, takeover: bool) -> None:
        """Do the step that ``request`` names, unless there is nothing (more) to do.

        Raises
        ------
        ServiceError
            If ledger or queue stay away for longer than a step may wait: the reaper finds the step again.
        """
        calls = self._job_store.calls
        claim = calls.claim(request.job_id, request.step, token_of(os.getpid()), takeover=takeover)
        claimed = retry(lambda: self._job_store.run(claim))
        if claimed is None:
            log.info("step_not_claimed")
            return
        if claimed.record.is_damaged:
            log.warning("record_unreadable")
            retry(lambda: self._job_store.run(self._job_store.calls.bury(request.job_id)))
            return
        self._held_at = time.monotonic()
        self.claimed = claimed
        try:
            with self.step_telemetry.step(claimed) as seen:
                self._work(claimed, seen)
        finally:
            self.claimed = None
            self._trimmer.give_back()

    def _work(self, claimed: Claimed, seen: StepMeasurement) -> None:
        try:
            fields = retry(lambda: self._handlers[claimed.step](claimed))
            end = self._job_store.calls.complete(claimed, fields)
        except LeaseLostError:
            seen.code = "step_lost"
            log.warning("step_lost")
        except Exception as error:  # noqa: BLE001 - whatever a photo does to a decoder, its owner gets an answer
            answer = answer_to(error)
            seen.code = answer.code
            self._end_with_error(claimed, answer)
        else:
            self._end(claimed, fields, end)

    def _extend_lease(self, claimed: Claimed, fields: Mapping[str, str] = NOTHING, /) -> None:
        if time.monotonic() - self._held_at < HOLD_S:
            return
        if not retry(lambda: self._job_store.run(self._job_store.calls.renew(claimed, fields))):
            raise LeaseLostError
        self._held_at = time.monotonic()

    def _end(self, claimed: Claimed, fields: Mapping[str, str], end: Call[Completed]) -> None:
        outcome = retry(lambda: self._job_store.run(end))
        if not outcome.accepted:
            log.warning("step_outcome_refused")
            # Erased or taken over meanwhile: what this step stored belongs to nobody.
            if "picture" in fields:
                self._storage.delete(fields["picture"])
            return
        record = claimed.record
        if outcome.next_steps:
            outbox_messages = [self._letters.write(wake_up(record, step)) for step in outcome.next_steps]
            retry(lambda: self._job_store.run(self._job_store.calls.enqueue(record.id, outbox_messages)))
        if outcome.finished and record.options.retain == 0:
            self._erase_photo(record.photo)

    def _end_with_error(self, claimed: Claimed, error: ObscuraError) -> None:
        log.warning("step_failed", code=error.code)
        fail = self._job_store.calls.fail(claimed.lease, error.code, error.message)
        if retry(lambda: self._job_store.run(fail)):
            self._erase_photo(claimed.record.photo)

    def _erase_photo(self, key: str) -> None:
        # The ledger has noted the key: should this fail, the reaper erases it.
        was_there = self._storage.delete(key)
        self._job_store.run(self._job_store.calls.forget(key, was_there=was_there))


def _model_series(detector: "Detector") -> str:
    card = detector.card
    weights = card.files.get("pt" if detector.engine.startswith("ultralytics") else "onnx")
    sha256 = "" if weights is None else weights.sha256
    labels = (card.class_name, card.name, card.version, detector.engine, detector.device, sha256)
    return catalogue.MODEL_INFO.series(*labels)
