"""The job store: blocking for workers, asyncio for the gateway."""

import copy
import math
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar, cast

import redis
import redis.asyncio
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from redis.retry import Retry

from obscura.errors import ObscuraError, QueueUnavailableError, UnknownTaskError
from obscura.jobs.commands import COUNTERS, SCRIPTS, Call, Fields, JobStoreCommands, erased_key, job_key
from obscura.jobs.finished_records import FinishedRecords
from obscura.jobs.records import JobRecord, fields_from_event, lost
from obscura.jobs.task_ids import was_issued
from obscura.settings import Settings

T = TypeVar("T")
log = structlog.get_logger(__name__)
WRONG_TYPE = "WRONGTYPE"
DAMAGED: Fields = MappingProxyType({"damaged": WRONG_TYPE})
"""Stands for a record that is no hash at all; it has none of the fields that a record needs."""

ANSWER_S = 1.5
"""Seconds that a gateway waits for the ledger before it says 503."""


def connection_options() -> dict[str, Any]:
    """Return the options of every connection: text replies, and an answer soon even when there is none."""
    return {
        "decode_responses": True,
        "socket_timeout": 5.0,
        "socket_connect_timeout": 1.0,
        "health_check_interval": 15,
    }


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OutOfMemoryError as error:
        message = "the job ledger is full: nothing new is taken in for now"
        raise QueueUnavailableError(message) from error
    except (RedisError, OSError) as error:
        message = "the job ledger cannot be reached"
        raise QueueUnavailableError(message) from error


def _record(job_id: str, fields: Mapping[str, str], owner: str | None = None) -> JobRecord:
    # Somebody else's job is one that is not there: an answer must not say that an id exists.
    if not fields or not _is_visible_to(owner, job_id, fields):
        message = "there is no task of this id"
        raise UnknownTaskError(message)
    return JobRecord.from_fields(job_id, fields)


def _is_visible_to(owner: str | None, job_id: str, fields: Mapping[str, str]) -> bool:
    if owner is None:
        return True
    # A damaged record may not say whose it is; its id does.
    return fields["owner"] == owner if "owner" in fields else was_issued(job_id, owner, math.inf)


def _fields(reply: object) -> Fields:
    """Return the fields that a reply to HGETALL holds; what is no hash is a damaged record."""
    if isinstance(reply, ResponseError) and str(reply).startswith(WRONG_TYPE):
        return DAMAGED
    if isinstance(reply, Exception):
        raise reply
    return cast("dict[str, str]", reply)


class JobStore:
    """The ledger for workers; every method raises QueueUnavailableError where the server is away."""

    def __init__(self, settings: Settings) -> None:
        self.calls = JobStoreCommands(settings)
        self.client = redis.Redis.from_url(
            settings.redis_url, retry=Retry(NoBackoff(), 1), **connection_options()
        )
        self._scripts = {name: self.client.register_script(text) for name, text in SCRIPTS.items()}

    def run(self, call: Call[T]) -> T:
        """Run ``call`` and return its outcome."""
        with _translated():
            reply = self._scripts[call.script](keys=list(call.keys), args=list(call.args))
        return call.parse(cast("list[str]", reply))

    def read(self, job_id: str) -> JobRecord:
        """Return a job's row; raise UnknownTaskError where there is none."""
        with _translated():
            try:
                reply: object = self.client.hgetall(job_key(job_id))
            except ResponseError as error:
                reply = error
            fields = _fields(reply)
        return _record(job_id, fields)

    def field(self, key: str, name: str) -> str | None:
        """Return a field of one of the ledger's other hashes, or None where it is not there."""
        with _translated():
            return cast("str | None", self.client.hget(key, name))

    def close(self) -> None:
        """Close all connections."""
        self.client.close()


class AsyncJobStore:
    """The ledger for the gateway; the same promises.

    ``for_owner`` gives the view of one owner: it enters jobs for that owner and reads no others.
    """

    def __init__(self, settings: Settings) -> None:
        self.calls = JobStoreCommands(settings)
        # A caller waits for the answer: a server that does not react is as good as away.
        options = {**connection_options(), "socket_timeout": ANSWER_S}
        # A connection that broke while it was idle is worth a second one; silence is not.
        again = redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        self.client = redis.asyncio.Redis.from_url(settings.redis_url, retry=again, **options)
        self.finished_records = FinishedRecords(settings.result_ttl_s)
        self._scripts = {name: self.client.register_script(text) for name, text in SCRIPTS.items()}

    def for_owner(self, owner: str | None) -> "AsyncJobStore":
        """Return this ledger as ``owner`` sees it, on the same connections; None sees every job."""
        view = copy.copy(self)
        view.calls = replace(self.calls, owner=owner)
        return view

    async def run(self, call: Call[T]) -> T:
        """Run ``call`` and return its outcome."""
        with _translated():
            pending = self._scripts[call.script](keys=list(call.keys), args=list(call.args))
            reply = await cast("Awaitable[list[str]]", pending)
        return call.parse(reply)

    async def read(self, job_id: str) -> JobRecord:
        """Return a job's row; raise UnknownTaskError where there never was one, or where it was erased.

        A job that was entered and that the server has forgotten (its data are gone) reads as one that failed
        with `job_lost`. While the server is away, the rows of jobs that had ended when they were last read
        are still returned.
        """
        known: Mapping[str, str] | None
        try:
            [known] = await self._hashes([job_id])
        except QueueUnavailableError:
            known = self.finished_records.get(job_id)
            if known is None:
                raise
        else:
            self.finished_records.note(job_id, known)
            if not known and job_id in await self._lost([job_id]):
                known = lost(job_id, self.calls.owner or "")
        return await self._readable(_record(job_id, known, self.calls.owner))

    async def give_up(self, job_id: str) -> JobRecord:
        """End a job whose record cannot be read as a failure, and return what is then there."""
        await self.run(self.calls.fail_unreadable(job_id))
        self.finished_records.forget(job_id)
        return await self.read(job_id)

    async def _readable(self, record: JobRecord) -> JobRecord:
        """Return ``row``; a damaged record is replaced by one that can be read, where the server takes it."""
        if record.is_damaged:
            log.warning("record_unreadable", request_id=record.request_id)
            with suppress(ObscuraError):
                await self.run(self.calls.fail_unreadable(record.id))
                self.finished_records.forget(record.id)
        return record

    async def hash(self, key: str) -> Fields:
        """Return the fields of one of the ledger's other hashes, none where it is not there.

        What is no hash at all has fields that mean nothing: it is damaged.
        """
        with _translated():
            pipeline = self.client.pipeline(transaction=False)
            pipeline.hgetall(key)
            [reply] = await pipeline.execute(raise_on_error=False)
            return _fields(reply)

    async def _hashes(self, job_ids: Sequence[str]) -> list[Fields]:
        with _translated():
            pipeline = self.client.pipeline(transaction=False)
            for job_id in job_ids:
                pipeline.hgetall(job_key(job_id))
            return [_fields(reply) for reply in await pipeline.execute(raise_on_error=False)]

    def record_from_event(self, job_id: str, told: str) -> JobRecord:
        """Return the row of an ended job as the event of its end tells it; raise as `read` does."""
        fields = fields_from_event(told)
        self.finished_records.note(job_id, fields)
        return _record(job_id, fields, self.calls.owner)

    async def read_many(self, job_ids: Sequence[str]) -> list[JobRecord | None]:
        """Return the rows of jobs in their order, None for each that is not there."""
        records: list[JobRecord | None] = []
        found = await self._hashes(job_ids)
        gone = await self._lost([job_id for job_id, fields in zip(job_ids, found, strict=True) if not fields])
        for job_id, fields in zip(job_ids, found, strict=True):
            self.finished_records.note(job_id, fields)
            known = lost(job_id, self.calls.owner or "") if job_id in gone else fields
            try:
                records.append(await self._readable(_record(job_id, known, self.calls.owner)))
            except UnknownTaskError:
                records.append(None)
        return records

    async def _lost(self, missing: Sequence[str]) -> frozenset[str]:
        """Return those of ``missing``, which have no row, that were entered and that nobody erased."""
        owner, within_s = self.calls.owner or "", self.calls.remembered_s
        ours = [job_id for job_id in missing if was_issued(job_id, owner, within_s)]
        if not ours:
            return frozenset()
        with _translated():
            names = [erased_key(job_id) for job_id in ours]
            erased = await cast("Awaitable[list[str | None]]", self.client.mget(names))
        return frozenset(job_id for job_id, mark in zip(ours, erased, strict=True) if mark is None)

    async def counters(self) -> dict[str, int]:
        """Return how often each event of the audit log has happened since the ledger began."""
        with _translated():
            counted = await cast("Awaitable[dict[str, str]]", self.client.hgetall(COUNTERS))
        return {name: int(number) for name, number in counted.items()}

    async def ping(self) -> None:
        """Raise QueueUnavailableError unless the server answers."""
        with _translated():
            await self.client.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()
