"""What this service does: an envelope in, an answer in the job's row out."""

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
from obscura.worker.service import Handler, Service, Tools
from photo_verification_service import operations
from photo_verification_service.database import Administration, Database, Records
from photo_verification_service.operations import Done
from photo_verification_service.photo_repository import Album
from photo_verification_service.request import Case, Kit, RefusedError
from photo_verification_service.standard_photos import Standards
from photo_verification_service.tag_matcher import Words

__all__ = ["SERVICE", "make_kit"]

SWEEP_S = 60.0
# As many requests of one second would have to come before two of them shared a name.
TOKEN_LENGTH = 16
log = structlog.get_logger(__name__)


def _album(settings: Settings, storage: Storage, records: Records) -> Album:
    # Whatever a process began is over when the hard limit has passed.
    return Album(storage, records, grace_s=settings.hard_limit_s + 10.0)


def make_kit(settings: Settings, storage: Storage) -> Kit:
    """Return what one process works with; nothing is connected yet."""
    database = Database(settings)
    records = Records(database)
    return Kit(
        settings=settings,
        storage=storage,
        records=records,
        administration=Administration(database, ZoneInfo(settings.time_zone), storage),
        album=_album(settings, storage, records),
        standards=Standards(settings, storage, records),
        words=Words(settings),
    )


async def _look(kit: Kit, case: Case, ask: PhotoAsk) -> Done:
    match ask:
        case CheckStandard():
            done = await operations.check_standard(kit, case, ask)
        case RegisterStandard():
            done = await operations.register_standard(kit, case, ask)
        case CompareWith():
            done = await operations.compare_with(kit, case, ask)
        case PostFeature():
            done = await operations.post_feature(kit, case, ask)
        case MatchTag():
            done = await operations.match_tag(kit, case, ask)
        case PostClassification():
            done = await operations.post_classification(kit, case, ask)
        case _:
            assert_never(ask)
    return done


async def _do(kit: Kit, case: Case) -> Done:
    ask = case.request.ask
    if isinstance(ask, PhotoAsk):
        return await _look(kit, case, ask)
    case.must_be_in_time()
    done = Done(await kit.administration.do(ask))
    if isinstance(ask, RemoveParticipation):
        await kit.album.sweep()
    return done


def answer(kit: Kit, case: Case) -> Done:
    """Do what is asked; whatever happens, there is an answer."""
    try:
        return asyncio.run(_do(kit, case))
    except RefusedError as refusal:
        outcome = refusal.outcome
    except ServiceError as error:
        log.warning("not_stored", code=error.code)
        outcome = Outcome.NOT_STORED
    except Exception:
        log.exception("verification_crashed")
        outcome = Outcome.FAILED
    return Done(VerificationAnswer(outcome=outcome))


def _verify(tools: Tools, kit: Kit, claimed: Claimed) -> Mapping[str, str]:
    row = claimed.row
    try:
        envelope = Envelope.unpack(tools.read(row.photo))
    except StorageUnavailableError as error:
        log.warning("not_stored", code=error.code)
        return {"report": VerificationAnswer(outcome=Outcome.NOT_STORED).model_dump_json()}
    moment = datetime.fromtimestamp(row.created, ZoneInfo(tools.settings.time_zone))
    # The beginning of an id tells little more than its time.
    token = hashlib.sha256(row.id.encode()).hexdigest()[:TOKEN_LENGTH]
    owner = "" if row.owner == tools.settings.verification_owner else row.owner
    case = Case(envelope.request, envelope.photo, envelope.standard, token, moment, owner)
    with stage(Stage.COMPARE):
        done = answer(kit, case)
    fields = {"report": done.answer.model_dump_json()}
    if done.picture is not None:
        key = f"results/{row.id}.{claimed.token}"
        # The answer is worth more than the picture that explains it.
        with suppress(StorageUnavailableError):
            tools.store(key, done.picture)
            fields |= {"picture": key, "media_type": "image/jpeg"}
    return fields


def _sweep_for_ever(album: Album) -> None:
    pause = threading.Event()
    while True:
        try:
            swept = asyncio.run(album.sweep())
            if swept:
                log.warning("objects_without_rows_erased", count=swept)
        except ObscuraError as error:
            log.warning("sweep_failed", code=error.code)
        except Exception:
            # The only place that finds what a dead process left must outlive its own faults.
            log.exception("sweep_crashed")
        pause.wait(SWEEP_S)


def _build(tools: Tools) -> Mapping[Step, Handler]:
    kit = make_kit(tools.settings, tools.storage)
    # An engine of its own: two threads share none.
    album = _album(tools.settings, tools.storage, Records(Database(tools.settings)))
    threading.Thread(target=_sweep_for_ever, args=(album,), daemon=True).start()
    return {Step.VERIFY: partial(_verify, tools, kit)}


def _check(settings: Settings) -> None:
    """Raise InvalidOptionError for settings that can never work; make the tables where the database is there.

    A database that is away now is no reason not to start: requests are answered by the contract's own words
    until it comes, and the first that finds it makes the tables.
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
