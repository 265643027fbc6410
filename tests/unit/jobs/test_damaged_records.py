"""Records damaged by hand in the store: each ends as a failure that can be erased, and stops nothing."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
import redis

from gateway_service.answers import TaskStatus
from gateway_service.app import create_app
from gateway_service.batches import batch
from gateway_service.http.dependencies import Gateway
from gateway_service.results.serialisers import task_result_of
from gateway_service.routes.results import erase
from obscura.contract import JobKind, JobOptions, ObjectClass, Step, StepRequest, UserBox
from obscura.errors import (
    BatchUnreadableError,
    InvalidOptionError,
    RecordUnreadableError,
    UnknownBatchError,
    UnknownTaskError,
)
from obscura.jobs import AsyncJobStore, JobState, JobStore, NewJob, new_id
from obscura.jobs.commands import ACTIVE, ERASE, METRICS, job_key
from obscura.jobs.lease_reaper import Reaper
from obscura.jobs.record_fields import MAX_RECORD_BYTES, checked, packed, unpacked
from obscura.jobs.retention import Retention
from obscura.jobs.stats_snapshot import stats_snapshot
from obscura.jobs.webhook_deliveries import batch_key
from obscura.settings import Settings
from obscura.storage import Storage
from tests.gateways import in_gateway
from tests.job_stores import with_job_store

CODE = "record_unreadable"
Damage = Callable[[redis.Redis, str], object]

BOXES = [{"class": "face", "xyxy": [1, 2, 3, 4]}] * 2001
DAMAGES: dict[str, Damage] = {
    "options are no JSON": lambda client, key: client.hset(key, "options", "{"),
    "options have an unknown style": lambda client, key: client.hset(key, "options", '{"style": "magic"}'),
    "2001 boxes": lambda client, key: client.hset(key, "options", json.dumps({"boxes": BOXES})),
    "a packed value is cut off": lambda client, key: client.hset(key, "options", packed("x" * 9000)[:-40]),
    "no state": lambda client, key: client.hdel(key, "state"),
    "a state that is none": lambda client, key: client.hset(key, "state", "asleep"),
    "no kind": lambda client, key: client.hdel(key, "kind"),
    "a kind that is none": lambda client, key: client.hset(key, "kind", "toast|x"),
    "no photo": lambda client, key: client.hdel(key, "photo"),
    "created is no number": lambda client, key: client.hset(key, "created", "yesterday"),
    "a broken part": lambda client, key: client.hset(key, f"p:{Step.DETECT_FACES}", "[]"),
    "a broken report": lambda client, key: client.hset(key, "report", "}{"),
    "a report that is a list": lambda client, key: client.hset(key, "report", "[1]"),
    "suspects that are none": lambda client, key: client.hset(key, f"r:{Step.RESIDUAL_CHECK_FACES}", "[7]"),
    "too large": lambda client, key: client.hset(key, "extra", "x" * (3 * MAX_RECORD_BYTES)),
    "a string": lambda client, key: (client.delete(key), client.set(key, "x")),
    "a list": lambda client, key: (client.delete(key), client.lpush(key, "x")),
}
BOOKKEEPING: dict[str, Damage] = {
    "no steps": lambda client, key: client.hset(key, "stages", ""),
    "a step without a state": lambda client, key: client.hdel(key, f"s:{Step.DETECT_FACES}"),
    "a lease that is no number": lambda client, key: client.hset(key, f"l:{Step.DETECT_FACES}", "soon"),
    "no lease": lambda client, key: client.hdel(key, f"l:{Step.DETECT_FACES}"),
    "a count that is no number": lambda client, key: client.hset(key, f"a:{Step.DETECT_FACES}", "two"),
    "created is not finite": lambda client, key: client.hset(key, "created", "inf"),
    "a time to live that is no number": lambda client, key: client.hset(key, "ttl", "long"),
}
"""What only those who move a job on need: its readers do not see the damage, the reaper does."""

ALL = {**DAMAGES, **BOOKKEEPING}


def new(job_id: str, **options: object) -> NewJob:
    """Return a job of one step."""
    wanted = JobOptions.model_validate({"classes": (ObjectClass.FACE,), **options})
    return NewJob(job_id, JobKind.DETECT, wanted, f"photos/{job_id}")


def entered(settings: Settings, damage: Damage, owner: str = "") -> str:
    """Enter a job whose lease has run out, with a photo, and damage its record; return its id."""
    job_id = new_id(owner)
    quick = settings.model_copy(update={"lease_s": 0})

    async def enter(job_store: AsyncJobStore) -> None:
        own = job_store.for_owner(owner)
        await own.run(own.calls.create(new(job_id)))

    with_job_store(quick, enter)
    Storage.in_folder(settings.storage_dir).put(f"photos/{job_id}", b"x")
    with redis.Redis.from_url(settings.redis_url, decode_responses=True) as client:
        damage(client, job_key(job_id))
    return job_id


async def nobody(_request: StepRequest) -> None:
    """Send nothing."""


def test_what_cannot_be_read_reads_as_a_failure(settings: Settings) -> None:
    """Read, read among others, answered, erased: a FAILURE of its own code, whoever looks first."""
    damaged = {entered(settings, damage): name for name, damage in ALL.items()}

    async def look(gateway: Gateway) -> None:
        job_store = gateway.job_store
        read = [job_id for job_id, name in damaged.items() if name in DAMAGES]
        for job_id in read[::2]:
            record = await job_store.read(job_id)
            assert (record.state, record.error_code) == (JobState.FAILED, CODE), damaged[job_id]
        records = await job_store.read_many(read)
        assert [record and record.error_code for record in records] == [CODE] * len(read)
        await Reaper(job_store, nobody).round()
        records = await job_store.read_many(list(damaged))
        assert {
            damaged[record.id] for record in records if record and record.error_code == CODE
        } == ALL.keys()
        for record in filter(None, records):
            assert not record.is_damaged
            said = await task_result_of(gateway, record)
            assert said.error is not None
            assert (said.status, said.error.code) == (TaskStatus.FAILURE, CODE)
        assert await job_store.client.zcard(ACTIVE) == 0
        assert await job_store.client.hget(METRICS, "records_unreadable_total") == str(len(ALL))
        await Retention(job_store, gateway.storage).round()
        assert gateway.storage.keys(("photos",)) == []
        for record in filter(None, records):
            assert await erase(gateway, record)
            with pytest.raises(UnknownTaskError):
                await job_store.read(record.id)

    in_gateway(settings, look)


def test_it_stops_no_loop(settings: Settings) -> None:
    """Reaper, statistics, sweeper and eraser do their rounds; a sound job among them is sent again."""
    for damage in ALL.values():
        entered(settings, damage)
    sound = entered(settings, lambda _client, _key: None)
    sent: list[str] = []

    async def note(request: StepRequest) -> None:
        sent.append(request.job_id)

    async def rounds(job_store: AsyncJobStore) -> None:
        storage = Storage.in_folder(settings.storage_dir)
        await stats_snapshot(job_store)
        await Retention(job_store, storage).collect_orphans(0.0)
        await Reaper(job_store, note).round()
        assert sent == [sound]
        await Retention(job_store, storage).round()
        assert storage.keys(("photos",)) == [f"photos/{sound}"]
        await Reaper(job_store, note).round()
        assert (await stats_snapshot(job_store))["records_unreadable_total"] == len(ALL)

    with_job_store(settings, rounds)


def test_a_worker_that_gets_it_goes_on(settings: Settings) -> None:
    """A claim of it raises nothing, and leaves no step in work."""
    job_store = JobStore(settings)
    for name, damage in ALL.items():
        job_id = entered(settings, damage)
        claimed = job_store.run(job_store.calls.claim(job_id, Step.DETECT_FACES, "t", takeover=False))
        assert claimed is None or claimed.record.is_damaged, name
        if claimed is not None:
            job_store.run(job_store.calls.fail_unreadable(job_id))
        assert job_store.read(job_id).error_code == CODE
    job_store.close()


def test_every_address_of_a_damaged_task_answers(settings: Settings) -> None:
    """GET says FAILURE, its events end, it has no picture, and DELETE erases it: never a 500."""

    async def ask(client: httpx.AsyncClient, task: str) -> None:
        url = f"/task_result/{task}"
        events = await client.get(f"{url}/events")
        assert (events.status_code, events.text.count("event: end"), CODE in events.text) == (200, 1, True)
        said = await client.get(url)
        assert (said.status_code, said.json()["status"]) == (200, "FAILURE")
        assert said.json()["error"]["code"] == CODE
        assert (await client.get(f"{url}/image")).status_code == 404
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).status_code == 404

    async def story() -> None:
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            for name in ("2001 boxes", "no state", "a string"):
                await ask(client, await asyncio.to_thread(entered, settings, DAMAGES[name]))

    asyncio.run(story())


@pytest.mark.parametrize("name", ["no state", "a string"])
def test_it_stays_its_owners(settings: Settings, name: str) -> None:
    """Another key does not see it, also where the record does not say any more whose it is."""

    def forgets(client: redis.Redis, key: str) -> None:
        client.hdel(key, "owner")
        DAMAGES[name](client, key)

    job_id = entered(settings, forgets, owner="anna")

    async def look(job_store: AsyncJobStore) -> None:
        with pytest.raises(UnknownTaskError):
            await job_store.for_owner("ben").read(job_id)
        assert (await job_store.for_owner("anna").read(job_id)).error_code == CODE

    with_job_store(settings, look)


@pytest.mark.parametrize(
    "damage", [DAMAGES["no state"], lambda client, key: client.hset(key, "held", "much")]
)
def test_its_owner_erases_it(settings: Settings, damage: Damage) -> None:
    """The failure in its place takes none of the owner's share, and goes like any other record."""
    job_id = entered(settings, damage, owner="anna")

    async def look(job_store: AsyncJobStore) -> None:
        own = job_store.for_owner("anna")
        assert (await own.fail_unreadable(job_id)).error_code == CODE
        assert await own.run(own.calls.erase(job_id))
        with pytest.raises(UnknownTaskError):
            await own.read(job_id)

    with_job_store(settings, look)


def test_it_is_erased_before_anybody_looked(settings: Settings) -> None:
    """The script that erases needs nothing of the record, and leads to no other job's photo."""
    job_id = entered(
        settings, lambda client, key: client.hset(key, mapping={"photo": "photos/other", "state": ""})
    )
    job_store = JobStore(settings)
    assert job_store.run(job_store.calls.erase(job_id))
    assert job_store.client.zrange(ERASE, 0, -1) == [f"photos/{job_id}"]
    job_store.close()


def test_a_damaged_batch_can_be_erased(settings: Settings) -> None:
    """It is told apart from one that is not there, and DELETE forgets it."""

    async def look(gateway: Gateway) -> None:
        await gateway.job_store.client.hset(batch_key("b"), mapping={"owner": "", "entries": "{"})
        await gateway.job_store.client.set(batch_key("c"), "x")
        for batch_id in ("b", "c"):
            with pytest.raises(BatchUnreadableError):
                await batch.read(gateway, batch_id)
            await batch.erase(gateway, batch_id)
            with pytest.raises(UnknownBatchError) as unknown:
                await batch.read(gateway, batch_id)
            assert not isinstance(unknown.value, BatchUnreadableError)

    in_gateway(settings, look)


def test_an_update_is_validated_as_a_new_object_is() -> None:
    """Pydantic's own copy takes any value; this one refuses what a record could not be read with."""
    options = JobOptions()
    box = UserBox.model_validate({"xyxy": (1, 2, 3, 4)})
    assert len(options.model_copy(update={"boxes": (box,) * 2000}).boxes) == 2000
    for change in ({"boxes": (box,) * 2001}, {"retain": -1}, {"unknown": 1}, {"cells": 99}):
        with pytest.raises(InvalidOptionError):
            options.model_copy(update=change)


@pytest.mark.parametrize(
    "fields",
    [
        {f"p:{Step.DETECT_FACES}": "{}"},
        {"report": "nothing"},
        {"media_type": "image/jpeg\r\nx: y"},
        {"video": '{"stage": "resting", "done": 1, "total": 2}'},
        {"note": "x" * (MAX_RECORD_BYTES + 1)},
    ],
)
def test_a_worker_leaves_nothing_that_cannot_be_read(fields: dict[str, str]) -> None:
    """Every field is read before it is written, and all together have a bound."""
    with pytest.raises(RecordUnreadableError):
        checked(fields)


def test_two_thousand_boxes_are_a_short_record() -> None:
    """The most boxes with the most digits stay far below the bound; packed text comes back as it was."""
    corners = [
        (n * 477.77 - 953_999.99, n * 3.33, n * 477.77 - 900_001.11, n * 3.33 + 7777.77) for n in range(2000)
    ]
    boxes = tuple(UserBox.model_validate({"xyxy": corner}) for corner in corners)
    record = new("a", boxes=boxes).fields()
    assert sum(map(len, record.values())) < 64 * 1024
    assert JobOptions.model_validate_json(unpacked(record["options"])).boxes == boxes
    bomb = packed("x" * 9_000_000)
    with pytest.raises(RecordUnreadableError):
        unpacked(bomb)
