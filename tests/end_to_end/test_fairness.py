"""One key's flood and another key's single photo, on a running system; boxes beyond the limit."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.jobs.commands import job_key
from obscura.settings import JOB_STORE_URL_FILE, Settings
from tests.chaos.tools import job_store_of
from tests.end_to_end.test_faceblur import finished
from tests.gateways import RunningGateway
from tests.hostile_requests import KINDS, RARE, Attacker, assert_answered_well
from tests.system import RunningSystem
from tests.webhooks import Receiver

pytestmark = pytest.mark.end_to_end
Keys = tuple[httpx.Client, httpx.Client]
MOST_BETWEEN = 4
"""Photos of others that may end between the entering and the end of a photo: in work, handed out, in turn."""


@pytest.fixture(scope="module")
def keys(system: RunningSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """Clients of two keys, at a gateway of the running system that asks for them."""
    ring = KeyStore(Settings(redis_url=(system.data_dir / JOB_STORE_URL_FILE).read_text("utf-8")))
    made = [ring.create(name, frozenset({Scope.SUBMIT, Scope.READ})) for name in ("flood", "single")]
    folder = tmp_path_factory.mktemp("keyed")
    options = {"api_keys": "on", "rate_limit": "0", "address_rate_limit": "0"}
    with RunningGateway.beside(system, folder, **options) as gateway:
        clients = [
            httpx.Client(base_url=gateway.url, timeout=180, headers={"authorization": f"Bearer {text}"})
            for _, text in made
        ]
        yield clients[0], clients[1]
        for http in clients:
            http.close()
    for key, _ in made:
        ring.revoke(key.id)
    ring.close()


def submit(client: httpx.Client, photo: bytes) -> str:
    """Hand a photo in; return its task."""
    posted = client.post("/blur_faces", files={"file": photo})
    assert posted.status_code == 200, posted.text
    return str(posted.json()["task_id"])


def times(system: RunningSystem, task: str) -> tuple[float, float]:
    """Return when a task was entered and when it ended, by the store's clock."""
    with job_store_of(system) as job_store:
        entered, ended = (float(job_store.hget(job_key(task), name) or 0) for name in ("created", "finished"))
    return entered, ended


def behind(system: RunningSystem, keys: Keys, photo: bytes, number: int) -> tuple[float, int]:
    """Return one photo's seconds behind ``number`` of another key, and how many of those end meanwhile."""
    flood, single = keys
    pile = [submit(flood, photo) for _ in range(number)]
    one = submit(single, photo)
    assert finished(single, one)["status"] == "SUCCESS"
    assert {finished(flood, task)["status"] for task in pile} == {"SUCCESS"}
    entered, ended = times(system, one)
    between = sum(entered < times(system, task)[1] < ended for task in pile)
    return ended - entered, between


def test_one_photo_passes_a_pile_of_another_key(system: RunningSystem, keys: Keys, portrait: Path) -> None:
    """It waits for what is in work and little more, whatever the pile."""
    _, between = behind(system, keys, portrait.read_bytes(), 16)
    assert between <= MOST_BETWEEN


@pytest.mark.slow
def test_one_photo_behind_eighty_takes_at_most_five_times_its_time(
    system: RunningSystem, keys: Keys, portrait: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figure of the design: alone, the median of five, then behind 80."""
    photo, single = portrait.read_bytes(), keys[1]
    alone = []
    for _ in range(5):
        task = submit(single, photo)
        assert finished(single, task)["status"] == "SUCCESS"
        entered, ended = times(system, task)
        alone.append(ended - entered)
    crowded, between = behind(system, keys, photo, 80)
    with capsys.disabled():
        print(f"alone {sorted(alone)} s, behind 80 {crowded} s, {between} ended meanwhile")
    assert crowded <= 5 * sorted(alone)[2]


@pytest.mark.slow
def test_every_kind_of_hostile_request_has_an_answer(
    system: RunningSystem, keys: Keys, receiver: Receiver, portrait: Path
) -> None:
    """One of each kind that costs little: a documented answer, an end, and another key's photos go on.

    The thousand at once are in tests/chaos/test_hostile.py.
    """
    receiver.answers["/hangs"] = [0]
    flood, single = keys
    key = str(flood.headers["authorization"]).removeprefix("Bearer ")
    theirs = [submit(single, portrait.read_bytes())]
    with job_store_of(system) as job_store:
        attacker = Attacker(str(flood.base_url), key, job_store, theirs, f"{receiver.origin}/hangs")
        for kind in sorted(KINDS.keys() - RARE):
            attacker.attack(kind)
        theirs.append(submit(single, portrait.read_bytes()))
        assert {finished(single, task)["status"] for task in theirs} == {"SUCCESS"}
        attacker.wait_for_ends()
        assert_answered_well(attacker)
        for task in dict.fromkeys(attacker.tasks):
            assert flood.delete(f"/task_result/{task}").status_code == 204
        attacker.close()


def test_too_many_boxes_are_refused_at_the_door(client: httpx.Client, portrait: Path) -> None:
    """2001 boxes are a 422 that names the limit; 2000 are hidden, and the result can be read."""
    box = [10, 10, 20, 20]
    for number, status in ((2001, 422), (2000, 200)):
        answer = client.post(
            "/redact", files={"file": portrait.read_bytes()}, data={"boxes": json.dumps([box] * number)}
        )
        assert answer.status_code == status
    assert finished(client, answer.json()["task_id"])["status"] == "SUCCESS"
    refused = client.post(
        "/redact", files={"file": portrait.read_bytes()}, data={"boxes": json.dumps([box] * 2001)}
    )
    assert refused.json()["error"] == {"code": "invalid_option", "message": "boxes: at most 2000 boxes"}
