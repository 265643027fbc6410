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
from obscura.jobs.commands import SCRIPTS, Call, Fields, JobStoreCommands, erased_key, job_key
from obscura.jobs.finished_records import FinishedRecords
from obscura.jobs.records import JobRecord, fields_from_event, lost_job_fields
from obscura.jobs.task_ids import was_issued
from obscura.settings import Settings

T = TypeVar("T")
log = structlog.get_logger(__name__)
WRONG_TYPE = "WRONGTYPE"
DAMAGED: Fields = MappingProxyType({"damaged": WRONG_TYPE})
"""Fields in place of a key that is not a hash; without any field that a record needs, it reads as damaged."""

ANSWER_S = 1.5
"""Seconds that a gateway waits for a connection, and for an answer, before it answers 503."""
MAX_CONNECTIONS = 32
"""Connections of a gateway; further commands wait for one."""
READ_AT_ONCE = 64
"""Records in one reply, which is parsed without a pause for other requests."""


def connection_options() -> dict[str, Any]:
    """Return the options of all connections: decoded replies, and timeouts in seconds."""
    return {
        "decode_responses": True,
        "socket_timeout": 5.0,
        "socket_connect_timeout": 1.0,
        "health_check_interval": 15,
    }


@contextmanager
def job_store_errors() -> Iterator[None]:
    """Raise errors of the server and of the connection to it as QueueUnavailableError."""
    try:
        yield
    except OutOfMemoryError as error:
        message = "the job store is full: new jobs are not accepted for now"
        raise QueueUnavailableError(message) from error
    except (RedisError, OSError) as error:
        message = "the job store cannot be reached"
        raise QueueUnavailableError(message) from error


def _record(job_id: str, fields: Mapping[str, str], owner: str | None = None) -> JobRecord:
    # Another owner's job is reported as unknown: an answer must not reveal that an id exists.
    if not fields or not _is_visible_to(owner, job_id, fields):
        message = "there is no task of this id"
        raise UnknownTaskError(message)
    return JobRecord.from_fields(job_id, fields)


def _is_visible_to(owner: str | None, job_id: str, fields: Mapping[str, str]) -> bool:
    if owner is None:
        return True
    # A damaged record may lack its owner; the id contains a check value of the owner.
    return fields["owner"] == owner if "owner" in fields else was_issued(job_id, owner, math.inf)


def _fields(reply: object) -> Fields:
    """Return the fields in a reply to HGETALL; `DAMAGED` for a key that is not a hash."""
    if isinstance(reply, ResponseError) and str(reply).startswith(WRONG_TYPE):
        return DAMAGED
    if isinstance(reply, Exception):
        raise reply
    return cast("dict[str, str]", reply)


class JobStore:
    """The blocking job store of workers. Every method raises QueueUnavailableError if the server is away."""

    def __init__(self, settings: Settings) -> None:
        self.calls = JobStoreCommands(settings)
        self.client = redis.Redis.from_url(
            settings.redis_url, retry=Retry(NoBackoff(), 1), **connection_options()
        )
        self._scripts = {name: self.client.register_script(text) for name, text in SCRIPTS.items()}

    def run(self, call: Call[T]) -> T:
        """Run ``call`` and return its parsed reply."""
        with job_store_errors():
            reply = self._scripts[call.script](keys=list(call.keys), args=list(call.args))
        return call.parse(cast("list[str]", reply))

    def read(self, job_id: str) -> JobRecord:
        """Return a job record; raise UnknownTaskError if there is none."""
        with job_store_errors():
            try:
                reply: object = self.client.hgetall(job_key(job_id))
            except ResponseError as error:
                reply = error
            fields = _fields(reply)
        return _record(job_id, fields)

    def field(self, key: str, name: str) -> str | None:
        """Return one field of the hash at ``key``, None if it is absent."""
        with job_store_errors():
            return cast("str | None", self.client.hget(key, name))

    def close(self) -> None:
        """Close all connections."""
        self.client.close()


class AsyncJobStore:
    """The asyncio job store of gateways. Every method raises QueueUnavailableError if the server is away.

    `for_owner` returns a view that creates jobs of one owner and reads no others.
    """

    def __init__(self, settings: Settings) -> None:
        self.calls = JobStoreCommands(settings)
        # An HTTP client waits for the answer, so the timeout is shorter than that of workers.
        options = {**connection_options(), "socket_timeout": ANSWER_S}
        # Reconnect once after a broken connection, but not after a timeout.
        again = redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.redis_url, max_connections=MAX_CONNECTIONS, timeout=ANSWER_S, retry=again, **options
        )
        self.client = redis.asyncio.Redis.from_pool(pool)
        self.finished_records = FinishedRecords(settings.result_ttl_s)
        self._scripts = {name: self.client.register_script(text) for name, text in SCRIPTS.items()}

    def for_owner(self, owner: str | None) -> "AsyncJobStore":
        """Return a view for ``owner`` on the same connections; None sees the jobs of all owners."""
        view = copy.copy(self)
        view.calls = replace(self.calls, owner=owner)
        return view

    async def run(self, call: Call[T]) -> T:
        """Run ``call`` and return its parsed reply."""
        with job_store_errors():
            pending = self._scripts[call.script](keys=list(call.keys), args=list(call.args))
            reply = await cast("Awaitable[list[str]]", pending)
        return call.parse(reply)

    async def read(self, job_id: str) -> JobRecord:
        """Return a job record; raise UnknownTaskError if the job never existed or was erased.

        A job that was created but whose record the server lost reads as failed with `job_lost`. While the
        server is away, records of finished jobs are returned from `finished_records`.
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
                known = lost_job_fields(job_id, self.calls.owner or "")
        return await self._readable(_record(job_id, known, self.calls.owner))

    async def fail_unreadable(self, job_id: str) -> JobRecord:
        """Fail a job whose record cannot be read, and return the record that replaces it."""
        await self.run(self.calls.fail_unreadable(job_id))
        self.finished_records.forget(job_id)
        return await self.read(job_id)

    async def _readable(self, record: JobRecord) -> JobRecord:
        """Return ``record``; if it is damaged, replace the stored one by a failed record first."""
        if record.is_damaged:
            log.warning("record_unreadable", request_id=record.request_id)
            with suppress(ObscuraError):
                await self.run(self.calls.fail_unreadable(record.id))
                self.finished_records.forget(record.id)
        return record

    async def hash(self, key: str) -> Fields:
        """Return the fields of the hash at ``key``: empty if it is absent, `DAMAGED` if it is not a hash."""
        with job_store_errors():
            pipeline = self.client.pipeline(transaction=False)
            pipeline.hgetall(key)
            [reply] = await pipeline.execute(raise_on_error=False)
            return _fields(reply)

    async def _hashes(self, job_ids: Sequence[str]) -> list[Fields]:
        found: list[Fields] = []
        with job_store_errors():
            for first in range(0, len(job_ids), READ_AT_ONCE):
                pipeline = self.client.pipeline(transaction=False)
                for job_id in job_ids[first : first + READ_AT_ONCE]:
                    pipeline.hgetall(job_key(job_id))
                found += [_fields(reply) for reply in await pipeline.execute(raise_on_error=False)]
        return found

    def record_from_event(self, job_id: str, payload: str) -> JobRecord:
        """Return the record of a finished job from the event of its end; raise as `read` does."""
        fields = fields_from_event(payload)
        self.finished_records.note(job_id, fields)
        return _record(job_id, fields, self.calls.owner)

    async def read_many(self, job_ids: Sequence[str]) -> list[JobRecord | None]:
        """Return the records of jobs in the order of ``job_ids``, None for each unknown one."""
        records: list[JobRecord | None] = []
        found = await self._hashes(job_ids)
        gone = await self._lost([job_id for job_id, fields in zip(job_ids, found, strict=True) if not fields])
        for job_id, fields in zip(job_ids, found, strict=True):
            self.finished_records.note(job_id, fields)
            known = lost_job_fields(job_id, self.calls.owner or "") if job_id in gone else fields
            try:
                records.append(await self._readable(_record(job_id, known, self.calls.owner)))
            except UnknownTaskError:
                records.append(None)
        return records

    async def _lost(self, missing: Sequence[str]) -> frozenset[str]:
        """Return those of ``missing`` (ids without a record) that were issued and not erased on purpose."""
        owner, within_s = self.calls.owner or "", self.calls.remembered_s
        ours = [job_id for job_id in missing if was_issued(job_id, owner, within_s)]
        if not ours:
            return frozenset()
        with job_store_errors():
            names = [erased_key(job_id) for job_id in ours]
            erased = await cast("Awaitable[list[str | None]]", self.client.mget(names))
        return frozenset(job_id for job_id, mark in zip(ours, erased, strict=True) if mark is None)

    async def ping(self) -> None:
        """Raise QueueUnavailableError unless the server answers."""
        with job_store_errors():
            await self.client.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()
