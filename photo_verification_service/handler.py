"""The verification handler: runs the operation in a stored envelope; its answer is the job's report."""

import asyncio
import hashlib
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from obscura.contract import VERIFY, Step
from obscura.contract.verification import (
    CheckStandard,
    CompareWith,
    Envelope,
    MatchTag,
    Outcome,
    PhotoAsk,
    PostClassification,
    PostFeature,
    RegisterStandard,
    RemoveParticipation,
    VerificationAnswer,
)
from obscura.errors import InvalidOptionError, ObscuraError, ServiceError, StorageUnavailableError
from obscura.jobs import Claimed
from obscura.observability import Stage, stage
from obscura.settings import Settings
from obscura.storage import Storage
from obscura.worker.service import Handler, Service, WorkerContext
from photo_verification_service import operations
from photo_verification_service.database import Administration, Database, Records
from photo_verification_service.operations import OperationResult
from photo_verification_service.photo_repository import PhotoRepository
from photo_verification_service.request import Context, RefusedError, Request
from photo_verification_service.standard_photos import Standards
from photo_verification_service.tag_matcher import TagMatcher

__all__ = ["SERVICE", "make_context"]

ORPHAN_INTERVAL_S = 60.0
# Hexadecimal digits in the storage keys of photos, as the API document has them.
TOKEN_LENGTH = 8
log = structlog.get_logger(__name__)


def _repository(settings: Settings, storage: Storage, records: Records) -> PhotoRepository:
    # No process can still be working on a photo after the hard limit.
    return PhotoRepository(storage, records, grace_s=settings.hard_limit_s + 10.0)


def make_context(settings: Settings, storage: Storage) -> Context:
    """Return the context of one process; no connection is opened yet."""
    database = Database(settings)
    records = Records(database)
    return Context(
        settings=settings,
        storage=storage,
        records=records,
        administration=Administration(database, ZoneInfo(settings.time_zone), storage),
        repository=_repository(settings, storage, records),
        standards=Standards(settings, storage, records),
        tag_matcher=TagMatcher(settings),
    )


async def _check_photo(context: Context, request: Request, ask: PhotoAsk) -> OperationResult:
    match ask:
        case CheckStandard():
            done = await operations.check_standard(context, request, ask)
        case RegisterStandard():
            done = await operations.register_standard(context, request, ask)
        case CompareWith():
            done = await operations.compare_with(context, request, ask)
        case PostFeature():
            done = await operations.post_feature(context, request, ask)
        case MatchTag():
            done = await operations.match_tag(context, request, ask)
        case PostClassification():
            done = await operations.post_classification(context, request, ask)
        case _:
            assert_never(ask)
    return done


async def _do(context: Context, request: Request) -> OperationResult:
    ask = request.head.ask
    if isinstance(ask, PhotoAsk):
        return await _check_photo(context, request, ask)
    request.must_be_in_time()
    done = OperationResult(await context.administration.do(ask))
    if isinstance(ask, RemoveParticipation):
        await context.repository.collect_orphans()
    return done


def answer(context: Context, request: Request) -> OperationResult:
    """Run the operation of a request; exceptions become answers with a matching outcome."""
    try:
        return asyncio.run(_do(context, request))
    except RefusedError as refusal:
        outcome = refusal.outcome
    except ServiceError as error:
        log.warning("not_stored", code=error.code)
        outcome = Outcome.NOT_STORED
    except Exception:
        log.exception("verification_crashed")
        outcome = Outcome.FAILED
    return OperationResult(VerificationAnswer(outcome=outcome))


def _verify(worker_context: WorkerContext, context: Context, claimed: Claimed) -> Mapping[str, str]:
    record = claimed.record
    try:
        envelope = Envelope.unpack(worker_context.read(record.photo))
    except StorageUnavailableError as error:
        log.warning("not_stored", code=error.code)
        return {"report": VerificationAnswer(outcome=Outcome.NOT_STORED).model_dump_json()}
    moment = datetime.fromtimestamp(record.created, ZoneInfo(worker_context.settings.time_zone))
    # Hashed, because the first digits of a task id are its time.
    token = hashlib.sha256(record.id.encode()).hexdigest()[:TOKEN_LENGTH]
    owner = "" if record.owner == worker_context.settings.verification_owner else record.owner
    request = Request(envelope.request, envelope.photo, envelope.standard, token, moment, owner)
    with stage(Stage.COMPARE):
        done = answer(context, request)
    fields = {"report": done.answer.model_dump_json()}
    if done.picture is not None:
        key = f"results/{record.id}.{claimed.token}"
        # Answer without the debug picture if that cannot be stored.
        with suppress(StorageUnavailableError):
            worker_context.store(key, done.picture)
            fields |= {"picture": key, "media_type": "image/jpeg"}
    return fields


def _collect_orphans_forever(repository: PhotoRepository) -> None:
    pause = threading.Event()
    while True:
        try:
            erased = asyncio.run(repository.collect_orphans())
            if erased:
                log.warning("objects_without_rows_erased", count=erased)
        except ObscuraError as error:
            log.warning("sweep_failed", code=error.code)
        except Exception:
            # Keep running: nothing else removes the objects of killed processes.
            log.exception("sweep_crashed")
        pause.wait(ORPHAN_INTERVAL_S)


def _build(worker_context: WorkerContext) -> Mapping[Step, Handler]:
    context = make_context(worker_context.settings, worker_context.storage)
    # Its own database engine, since the thread has its own event loop.
    repository = _repository(
        worker_context.settings, worker_context.storage, Records(Database(worker_context.settings))
    )
    threading.Thread(target=_collect_orphans_forever, args=(repository,), daemon=True).start()
    return {Step.VERIFY: partial(_verify, worker_context, context)}


def _check(settings: Settings) -> None:
    """Raise InvalidOptionError for invalid settings; create or migrate the tables.

    If the database is away, the worker starts all the same: requests get the answer for an unavailable
    database, and the first one that reaches it migrates the tables.
    """
    database = Database(settings)
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = "OBSCURA_TIME_ZONE names no time zone"
        raise InvalidOptionError(message) from error
    try:
        asyncio.run(database.upgrade())
    except ServiceError as error:
        log.warning("database_away_at_start", code=error.code)


SERVICE = Service(VERIFY, _build, _check)
