"""Bulk work does not hold up whoever waits."""

from pathlib import Path

import httpx
import pytest

from obscura.jobs.commands import job_key
from tests.chaos.tools import job_store_of
from tests.end_to_end.test_faceblur import finished
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
BULK_JOBS = 24


def test_an_interactive_job_does_not_wait_for_the_pile(
    system: RunningSystem, client: httpx.Client, portrait: Path
) -> None:
    """With a pile of bulk jobs queued, a photo that somebody waits for is next; the pile is done after it.

    By the ledger's own clock, which this test's speed has no part in. What workers had begun ends first,
    and while one works on the photo the others go on with the pile: all in all far from half of it.
    """

    def submit(priority: str) -> str:
        posted = client.post(
            "/detect_faces", files={"file": portrait.read_bytes()}, data={"priority": priority}
        )
        return str(posted.json()["task_id"])

    pile = [submit("bulk") for _ in range(BULK_JOBS)]
    urgent = submit("interactive")
    assert {finished(client, task)["status"] for task in [*pile, urgent]} == {"SUCCESS"}
    with job_store_of(system) as job_store:
        entered, ended = (
            float(job_store.hget(job_key(urgent), name) or 0) for name in ("created", "finished")
        )
        times = [float(job_store.hget(job_key(task), "finished") or 0) for task in pile]
    waited = sum(time > entered for time in times)
    assert waited > BULK_JOBS / 2, "the pile was done before anything could be measured"
    assert sum(entered < time < ended for time in times) < waited / 2


def test_a_priority_that_is_none_is_refused(client: httpx.Client, portrait: Path) -> None:
    """Only interactive and bulk are known."""
    answer = client.post("/detect", files={"file": portrait.read_bytes()}, data={"priority": "urgent"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_option")
