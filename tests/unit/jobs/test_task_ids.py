"""Task ids, and what a job store that has lost its rows says of them."""

import time
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obscura.contract import JobKind, JobOptions
from obscura.errors import UnknownTaskError
from obscura.jobs import AsyncJobStore, JobState, NewJob, new_id
from obscura.jobs.task_ids import was_issued
from obscura.settings import Settings
from tests.job_stores import with_job_store

HOUR_S = 3600.0


def entered(job_id: str) -> NewJob:
    """Return a job of this id."""
    return NewJob(job_id, JobKind.BLUR, JobOptions(), f"photos/{job_id}")


@given(owner=st.text(max_size=40))
def test_an_id_is_a_uuid_that_is_known_again(owner: str) -> None:
    """Every id is a UUID in its usual spelling, unlike all others, and known as its owner's."""
    ids = {new_id(owner) for _ in range(50)}
    assert len(ids) == 50
    assert {str(uuid.UUID(task)) for task in ids} == ids
    assert {(uuid.UUID(task).version, uuid.UUID(task).variant) for task in ids} == {(8, uuid.RFC_4122)}
    assert all(was_issued(task, owner, HOUR_S) for task in ids)
    assert not any(was_issued(task, owner + "x", HOUR_S) for task in ids)


@given(bit=st.integers(0, 127))
def test_an_id_with_one_bit_changed_is_none(bit: int) -> None:
    """No bit can be changed, not even one of the time."""
    changed = uuid.UUID(int=uuid.UUID(new_id("")).int ^ 1 << bit)
    assert not was_issued(str(changed), "", HOUR_S)


@given(text=st.one_of(st.uuids().map(str), st.text(max_size=60), st.just("some-task-id")))
def test_what_others_make_up_is_none(text: str) -> None:
    """Neither any UUID nor any other text is taken for an id of ours."""
    assert not was_issued(text, "", HOUR_S)


@pytest.mark.parametrize(
    "spelling", [str.upper, lambda task: task.replace("-", ""), lambda task: f"{{{task}}}"]
)
def test_another_spelling_is_another_id(spelling: Callable[[str], str]) -> None:
    """The job store knows a task by one spelling, and so does this."""
    task = new_id("")
    other = spelling(task)
    assert other == task or not was_issued(other, "", HOUR_S)


def test_an_old_id_is_none_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would have expired long ago was not lost."""
    task, now = new_id(""), time.time()
    for age_s, known in (
        (-30.0, True),
        (0.0, True),
        (HOUR_S - 70, True),
        (HOUR_S + 200, False),
        (-300.0, False),
    ):
        monkeypatch.setattr(time, "time", lambda age_s=age_s: now + age_s)
        assert was_issued(task, "", HOUR_S) is known


def test_a_job_store_that_was_emptied_says_which_jobs_it_lost(settings: Settings) -> None:
    """An accepted job reads as FAILED with `job_lost`, alone and among others; an invented one is unknown."""

    async def story(job_store: AsyncJobStore) -> None:
        task, other = new_id(""), new_id("")
        await job_store.run(job_store.calls.create(entered(task)))
        await job_store.client.flushall()
        await job_store.run(job_store.calls.create(entered(other)))
        record = await job_store.read(task)
        assert (record.state, record.error_code) == (JobState.FAILED, "job_lost")
        assert "again" in (record.error_message or "")
        assert (await job_store.read(other)).state is JobState.QUEUED
        with pytest.raises(UnknownTaskError):
            await job_store.read(str(uuid.uuid4()))
        records = await job_store.read_many([other, task, "never"])
        assert [record and record.error_code for record in records] == [None, "job_lost", None]
        assert (records[0] is None, records[2] is None) == (False, True)

    with_job_store(settings, story)


@pytest.mark.parametrize("why", ["deleted", "expired", "withdrawn"])
def test_a_job_that_was_erased_is_unknown_and_not_lost(settings: Settings, why: str) -> None:
    """Also a lost one, once its owner has erased it; the mark goes when nobody could take it for lost."""

    async def story(job_store: AsyncJobStore) -> None:
        task = new_id("")
        for is_lost in (False, True):
            await job_store.run(job_store.calls.create(entered(task)))
            if is_lost:
                await job_store.client.flushall()
            await job_store.run(job_store.calls.erase(task, why=why))
            with pytest.raises(UnknownTaskError):
                await job_store.read(task)
        left_s = [await job_store.client.ttl(name) for name in await job_store.client.keys("*erased:*")]
        assert len(left_s) == 1
        assert settings.result_ttl_s < left_s[0] <= job_store.calls.remembered_s

    with_job_store(settings, story)


def test_a_lost_job_is_its_owners_alone(settings: Settings) -> None:
    """Who holds another key, or none, hears of it what is said of an id that never was."""

    async def story(job_store: AsyncJobStore) -> None:
        anna, ben = job_store.for_owner("anna"), job_store.for_owner("ben")
        task = new_id("anna")
        await anna.run(anna.calls.create(entered(task)))
        await job_store.client.flushall()
        assert (await anna.read(task)).error_code == "job_lost"
        said = set()
        for owner, asked in ((ben, task), (job_store, task), (ben, "never")):
            with pytest.raises(UnknownTaskError) as refused:
                await owner.read(asked)
            said.add(refused.value.message)
        assert len(said) == 1

    with_job_store(settings, story)
