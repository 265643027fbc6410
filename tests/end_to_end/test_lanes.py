"""Bulk work does not hold up whoever waits."""

from pathlib import Path

import httpx
import pytest

from tests.end_to_end.test_faceblur import finished, work

pytestmark = pytest.mark.end_to_end
BULK_JOBS = 24
MOST_BEFORE = 2


def ended(client: httpx.Client, tasks: list[str]) -> int:
    """Return how many of ``tasks`` have ended."""
    states = [client.get(f"/task_result/{task}").json()["status"] for task in tasks]
    assert "FAILURE" not in states
    return states.count("SUCCESS")


def test_an_interactive_job_waits_behind_two_bulk_jobs_at_most(client: httpx.Client, portrait: Path) -> None:
    """With a pile of bulk jobs queued, a photo that somebody waits for is next; the pile is done after it."""
    photo = portrait.read_bytes()
    options = {"priority": "bulk"}
    tasks = [
        client.post("/detect_faces", files={"file": photo}, data=options).json()["task_id"]
        for _ in range(BULK_JOBS)
    ]
    before = ended(client, tasks)
    assert work(client, "/detect_faces", photo)["status"] == "SUCCESS"
    after = ended(client, tasks)
    assert before + MOST_BEFORE < BULK_JOBS, "the pile was done before anything could be measured"
    assert after - before <= MOST_BEFORE
    assert {finished(client, task)["status"] for task in tasks} == {"SUCCESS"}


def test_a_priority_that_is_none_is_refused(client: httpx.Client, portrait: Path) -> None:
    """Only interactive and bulk are known."""
    answer = client.post("/detect", files={"file": portrait.read_bytes()}, data={"priority": "urgent"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_option")
