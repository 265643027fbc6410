"""Run one step: claim it, call its handler, record the outcome."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import structlog
from celery import Celery

from obscura.contract import Step, StepRequest, extra_classes
from obscura.errors import ObscuraError, ServiceError
from obscura.jobs import Claimed, JobStore, step_request
from obscura.jobs.celery_app import Outbox
from obscura.jobs.claims import Completed
from obscura.jobs.commands import NO_FIELDS, Call
from obscura.jobs.worker_registry import WorkerRegistration
from obscura.observability import catalogue
from obscura.settings import Settings
from obscura.storage import Storage
from obscura.worker.failures import claim_token, error_for
from obscura.worker.malloc_tuning import HeapTrimmer
from obscura.worker.service import Handler, LeaseLostError, Service, WorkerContext
from obscura.worker.telemetry import StepMeasurement, StepTelemetry

if TYPE_CHECKING:
    from obscura.detection.extra import ObjectDetector

__all__ = ["Runtime"]

T = TypeVar("T")
RETRY_FOR_S = 30.0
RETRY_PAUSE_S = 0.5
# Leases are extended at most this often.
MIN_EXTENSION_S = 1.0
log = structlog.get_logger(__name__)


def retry(work: Callable[[], T]) -> T:
    """Return the result of ``work``, repeated for up to `RETRY_FOR_S` seconds while it raises ServiceError.

    Waiting here is better than rejecting the message: while the broker is away there is no other work, and a
    message rejected to a broker that does not answer would occupy its slot in the prefetch window for ever.
    """
    deadline = time.monotonic() + RETRY_FOR_S
    while True:
        try:
            return work()
        except ServiceError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("service_away", code=error.code)
        time.sleep(RETRY_PAUSE_S)


class Runtime:
    """The state of one pool process: job store, storage, and the handler of every step."""

    def __init__(self, settings: Settings, services: Sequence[Service], app: Celery) -> None:
        self._outbox = Outbox(app)
        self._job_store = JobStore(settings)
        self._storage = Storage.open(settings)
        self.step_telemetry = StepTelemetry(settings, self._job_store.client)
        context = WorkerContext(settings, self._storage, self._extend_lease)
        self._extended_at = 0.0
        self._heap = HeapTrimmer()
        self.claimed: Claimed | None = None
        self._handlers: dict[Step, Handler] = {}
        for service in services:
            self._handlers.update(service.build(context))
        queues = [service.spec.queue for service in services]
        models = [_model_series(detector) for detector in context.detectors.values()]
        extras = [item.name for item in extra_classes() if not item.missing]
        self.registration = WorkerRegistration(claim_token(os.getpid()), queues, models, extras)

    def run(self, request: StepRequest, *, takeover: bool) -> None:
        """Claim and run the step of ``request``; return at once if it cannot be claimed.

        ``takeover`` claims it although another lease has not expired: the message was redelivered because its
        process died.

        Raises
        ------
        ServiceError
            If the job store is away for longer than `RETRY_FOR_S`; the lease reaper then requeues the step.
        """
        calls = self._job_store.calls
        claim = calls.claim(request.job_id, request.step, claim_token(os.getpid()), takeover=takeover)
        claimed = retry(lambda: self._job_store.run(claim))
        if claimed is None:
            log.info("step_not_claimed")
            return
        if claimed.record.is_damaged:
            log.warning("record_unreadable")
            retry(lambda: self._job_store.run(self._job_store.calls.fail_unreadable(request.job_id)))
            return
        self._extended_at = time.monotonic()
        self.claimed = claimed
        try:
            with self.step_telemetry.step(claimed) as measurement:
                self._work(claimed, measurement)
        finally:
            self.claimed = None
            self._heap.trim()

    def _work(self, claimed: Claimed, measurement: StepMeasurement) -> None:
        try:
            fields = retry(lambda: self._handlers[claimed.step](claimed))
            end = self._job_store.calls.complete(claimed, fields)
        except LeaseLostError:
            measurement.code = "step_lost"
            log.warning("step_lost")
        except Exception as error:  # noqa: BLE001 - any exception of a handler must end the job
            answer = error_for(error)
            measurement.code = answer.code
            self._end_with_error(claimed, answer)
        else:
            self._end(claimed, fields, end)

    def _extend_lease(self, claimed: Claimed, fields: Mapping[str, str] = NO_FIELDS, /) -> None:
        if time.monotonic() - self._extended_at < MIN_EXTENSION_S:
            return
        if not retry(lambda: self._job_store.run(self._job_store.calls.renew(claimed, fields))):
            raise LeaseLostError
        self._extended_at = time.monotonic()

    def _end(self, claimed: Claimed, fields: Mapping[str, str], end: Call[Completed]) -> None:
        outcome = retry(lambda: self._job_store.run(end))
        if not outcome.accepted:
            log.warning("step_outcome_refused")
            # The job was erased or the step taken over: no record refers to the stored picture.
            if "picture" in fields:
                self._storage.delete(fields["picture"])
            return
        record = claimed.record
        if outcome.next_steps:
            outbox_messages = [self._outbox.write(step_request(record, step)) for step in outcome.next_steps]
            retry(lambda: self._job_store.run(self._job_store.calls.enqueue(record.id, outbox_messages)))
        if outcome.finished and record.options.retain == 0:
            self._erase_photo(record.photo)

    def _end_with_error(self, claimed: Claimed, error: ObscuraError) -> None:
        log.warning("step_failed", code=error.code)
        fail = self._job_store.calls.fail(claimed.lease, error.code, error.message)
        if retry(lambda: self._job_store.run(fail)):
            self._erase_photo(claimed.record.photo)

    def _erase_photo(self, key: str) -> None:
        # The job store has the key as due: if this fails, retention erases it.
        was_there = self._storage.delete(key)
        self._job_store.run(self._job_store.calls.forget(key, was_there=was_there))


def _model_series(detector: "ObjectDetector") -> str:
    card = detector.card
    weights = card.files.get("pt" if detector.engine.startswith("ultralytics") else "onnx")
    sha256 = "" if weights is None else weights.sha256
    labels = (card.class_name, card.name, card.version, detector.engine, detector.device, sha256)
    return catalogue.MODEL_INFO.series(*labels)
