"""A photo that is taken in is stored, entered and sent; one that is not leaves nothing behind."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_service.batches.batch import enter as enter_batch
from gateway_service.http.dependencies import Gateway
from gateway_service.http.uploads import Upload
from gateway_service.tasks.submission import Submission, submit
from obscura.contract import JobKind, JobOptions, ObjectClass, OutboxMessage, Pipeline, Quality, Queue
from obscura.errors import IdempotencyConflictError, ObscuraError, QueueFullError, UnsupportedFormatError
from obscura.jobs.commands import ACTIVE, job_key
from obscura.settings import Settings
from tests.gateways import in_gateway

WANTED = Submission(JobKind.BLUR, JobOptions(classes=(ObjectClass.FACE,)), "request")


async def state(gateway: Gateway) -> tuple[int, int, int]:
    """Return how many photos are stored, jobs unfinished, and messages waiting."""
    client = gateway.job_store.client
    messages = await client.llen(Queue.PHOTOS.value)
    return len(gateway.storage.keys(("photos",))), await client.zcard(ACTIVE), messages


def keyed(key: str) -> Submission:
    """Return what is wanted, under an Idempotency-Key."""
    return Submission(JobKind.BLUR, WANTED.options, "request", key)


def in_fused(settings: Settings, **more: object) -> Settings:
    """Return settings with which a job has one message."""
    return settings.model_copy(update={"pipeline": Pipeline.FUSED, **more})


def test_a_photo_is_stored_entered_and_sent(settings: Settings, portrait: Path) -> None:
    """One of each, and the photo as it came; the same Idempotency-Key adds nothing."""
    data = portrait.read_bytes()

    async def work(gateway: Gateway) -> None:
        created = await submit(gateway, io.BytesIO(data), keyed("k"))
        assert await state(gateway) == (1, 1, 1)
        assert gateway.storage.get(f"photos/{created.job_id}") == data
        again = await submit(gateway, io.BytesIO(data), keyed("k"))
        assert (again.job_id, again.is_new) == (created.job_id, False)
        assert await state(gateway) == (1, 1, 1)

    in_gateway(in_fused(settings), work)


REFUSALS: list[tuple[str, dict[str, object], type[ObscuraError]]] = [
    ("no photo", {}, UnsupportedFormatError),
    ("full", {"queue_limit": 0}, QueueFullError),
]


@pytest.mark.parametrize(("what", "limits", "error"), REFUSALS)
def test_what_is_refused_leaves_nothing(
    settings: Settings, portrait: Path, what: str, limits: dict[str, object], error: type[ObscuraError]
) -> None:
    """Neither a photo nor a row nor a message of it is there."""
    data = b"text, " * 100 if what == "no photo" else portrait.read_bytes()

    async def work(gateway: Gateway) -> None:
        with pytest.raises(error):
            await submit(gateway, io.BytesIO(data), WANTED)
        assert await state(gateway) == (0, 0, 0)

    in_gateway(in_fused(settings, **limits), work)


def test_another_photo_under_the_same_key_leaves_nothing(settings: Settings, portrait: Path) -> None:
    """A conflict is refused, and what was stored for it is gone."""
    data = portrait.read_bytes()

    async def work(gateway: Gateway) -> None:
        await submit(gateway, io.BytesIO(data), keyed("k"))
        with pytest.raises(IdempotencyConflictError):
            await submit(gateway, io.BytesIO(data + b"more"), keyed("k"))
        assert await state(gateway) == (1, 1, 1)

    in_gateway(in_fused(settings), work)


def _failing(request: object) -> OutboxMessage:
    raise QueueFullError(str(request))


def _cancelled(_request: object) -> OutboxMessage:
    raise asyncio.CancelledError


@pytest.mark.parametrize("write", [_failing, _cancelled])
def test_a_job_that_cannot_be_sent_is_not_entered(
    settings: Settings, portrait: Path, write: Callable[[object], OutboxMessage]
) -> None:
    """Whatever ends the entering of a job ends it for the photo too."""
    data = portrait.read_bytes()

    async def work(gateway: Gateway) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gateway.outbox_messages, "write", write)
            with pytest.raises((QueueFullError, asyncio.CancelledError)):
                await submit(gateway, io.BytesIO(data), WANTED)
        assert await state(gateway) == (0, 0, 0)

    in_gateway(in_fused(settings), work)


def test_the_whole_idempotency_key_counts(settings: Settings, portrait: Path) -> None:
    """Two batches under keys of 200 characters that differ in the first only share no task."""
    photo = Upload("a.jpg", lambda: io.BytesIO(portrait.read_bytes()))

    async def work(gateway: Gateway) -> None:
        batches = [
            await enter_batch(gateway, [photo], keyed(first + "k" * 199), keep_names=False) for first in "abb"
        ]
        assert batches[0].id != batches[1].id
        assert batches[0].task_ids != batches[1].task_ids
        assert (batches[1].id, batches[1].task_ids) == (batches[2].id, batches[2].task_ids)

    in_gateway(in_fused(settings), work)


def test_a_job_is_entered_with_its_cost(settings: Settings, portrait: Path) -> None:
    """The megapixels of the photo, weighed by how hard the detectors look."""
    data = portrait.read_bytes()

    async def work(gateway: Gateway) -> None:
        costs = {}
        for quality in (Quality.RAPID, Quality.BALANCED, Quality.THOROUGH):
            wanted = Submission(JobKind.BLUR, JobOptions(quality=quality), "request")
            created = await submit(gateway, io.BytesIO(data), wanted)
            costs[quality] = float(await gateway.job_store.client.hget(job_key(created.job_id), "cost") or 0)
        assert costs[Quality.BALANCED] == pytest.approx(512 * 512 / 1e6, abs=0.001)
        assert costs[Quality.RAPID] < costs[Quality.BALANCED] < costs[Quality.THOROUGH]

    in_gateway(in_fused(settings), work)
