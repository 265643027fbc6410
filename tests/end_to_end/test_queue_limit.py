"""A queue at its limit refuses, and takes again when there is room."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import redis

from obscura.jobs.commands import ACTIVE
from tests.gateways import RunningGateway

pytestmark = pytest.mark.end_to_end
LIMIT, BULK_LIMIT, EACH = 6, 3, 24


def test_depth_is_never_above_the_limit(valkey_url: str, tmp_path: Path, portrait: Path) -> None:
    """Of many photos at once exactly as many as the limit of their lane are taken; nobody works on them.

    The others get 503 `queue_full` with Retry-After, and nothing of them stays; a place that becomes free is
    given away again.
    """
    photo = portrait.read_bytes()
    with (
        redis.Redis.from_url(valkey_url, decode_responses=True) as job_store,
        RunningGateway(valkey_url, tmp_path, queue_limit=LIMIT, bulk_queue_limit=BULK_LIMIT) as gateway,
        httpx.Client(base_url=gateway.url, timeout=180) as client,
    ):
        job_store.flushall()

        def post(number: int) -> httpx.Response:
            priority = "bulk" if number % 2 else "interactive"
            return client.post("/detect_faces", files={"file": photo}, data={"priority": priority})

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(2 * EACH)))
        taken = Counter(number % 2 for number, answer in enumerate(answers) if answer.status_code == 200)
        assert taken == {0: LIMIT, 1: BULK_LIMIT}
        refused = [answer for answer in answers if answer.status_code != 200]
        assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refused} == {
            (503, "queue_full")
        }
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        tasks = {answer.json()["task_id"] for answer in answers if answer.status_code == 200}
        assert job_store.zcard(ACTIVE) == len(tasks) == LIMIT + BULK_LIMIT
        assert {path.name for path in (tmp_path / "photos" / "photos").iterdir()} == tasks
        first = next(answer.json()["task_id"] for answer in answers[::2] if answer.status_code == 200)
        assert client.delete(f"/task_result/{first}").status_code == 204
        assert [post(number).status_code for number in (0, 0, 1)] == [200, 503, 503]
