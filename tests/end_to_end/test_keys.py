"""API keys, owners and rate limits on two gateways that share one Valkey."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.settings import Settings
from tests.command_line import Done, in_a_process, obscura
from tests.end_to_end.test_faceblur import work
from tests.gateways import RunningGateway
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
ALL = frozenset({Scope.SUBMIT, Scope.READ})
LIMIT = 60
Pair = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def key_store(valkey_url: str) -> Iterator[KeyStore]:
    """Return the keys of the gateways."""
    key_store = KeyStore(Settings(redis_url=valkey_url))
    yield key_store
    key_store.close()


@pytest.fixture(scope="module")
def gateways(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two gateways that ask for keys; clients without one."""
    folder = tmp_path_factory.mktemp("gateways")
    options: dict[str, Any] = {"api_keys": "on", "rate_limit": f"{LIMIT}/minute"}
    with (
        RunningGateway(valkey_url, folder, **options) as one,
        RunningGateway(valkey_url, folder, **options) as other,
        httpx.Client(base_url=one.url, timeout=120) as first,
        httpx.Client(base_url=other.url, timeout=120) as second,
    ):
        yield first, second


def bearer(text: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"authorization": f"Bearer {text}"}


def code(answer: httpx.Response) -> str:
    """Return the stable code of an error."""
    return str(answer.json()["error"]["code"])


def test_without_a_key_nothing_is_answered_but_health_and_description(gateways: Pair) -> None:
    """Every operation, also one that does not exist, asks for a key; the description says so."""
    client = gateways[0]
    description = client.get("/openapi.json").json()
    assert set(description["components"]["securitySchemes"]) == {"bearer", "header"}
    closed = 0
    for path, operations in {**description["paths"], "/nothing/here": {"get": {}, "post": {}}}.items():
        for method in operations:
            answer = client.request(method, re.sub(r"\{[^}]+\}", "x", path))
            if path in {"/livez", "/readyz", "/capabilities", "/"}:
                assert answer.status_code in {200, 503}
                continue
            closed += 1
            assert (answer.status_code, code(answer)) == (401, "key_required"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")
            if path != "/nothing/here":
                assert operations[method]["security"]
                assert {"401", "403", "429"} <= set(operations[method]["responses"])
    assert closed >= 12


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_key_opens_either_way(gateways: Pair, key_store: KeyStore, portrait: Path, header: str) -> None:
    """Bearer and X-API-Key are the same."""
    _, text = key_store.create("either", ALL)
    headers = {header: text if header == "x-api-key" else f"Bearer {text}"}
    posted = gateways[0].post("/detect_faces", files={"file": portrait.read_bytes()}, headers=headers)
    assert posted.status_code == 200
    answer = gateways[1].get(f"/task_result/{posted.json()['task_id']}", headers=headers)
    assert answer.json() == {"status": "PENDING"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "obscura_",
        "obscura_0011223344556677_",
        "obscura_0011223344556677_guess",
        "ö" * 10,
        "a" * 5000,
    ],
)
def test_what_is_no_key_is_refused(gateways: Pair, text: str) -> None:
    """Whatever the text: 401 and a code, never a fault."""
    answer = gateways[0].get("/task_result/x", headers={b"x-api-key": text.encode()})
    assert (answer.status_code, code(answer)) == (401, "invalid_key")


def test_a_right_id_with_a_wrong_secret_is_refused(gateways: Pair, key_store: KeyStore) -> None:
    """The id is public: it opens nothing."""
    key, text = key_store.create("id", ALL)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert f"obscura_{key.id}_" in wrong
    assert gateways[0].get("/task_result/x", headers=bearer(wrong)).status_code == 401
    assert gateways[0].get("/task_result/x", headers=bearer(text)).status_code == 404


def test_a_revoked_key_ends_on_every_gateway(gateways: Pair, key_store: KeyStore) -> None:
    """The very next request is refused on both."""
    key, text = key_store.create("short", ALL)
    assert [each.get("/task_result/x", headers=bearer(text)).status_code for each in gateways] == [404, 404]
    key_store.revoke(key.id)
    refused = [each.get("/task_result/x", headers=bearer(text)) for each in gateways]
    assert {(answer.status_code, code(answer)) for answer in refused} == {(401, "invalid_key")}
    assert key.id not in {other.id for other in key_store.all()}


def test_an_expired_key_is_refused(gateways: Pair, key_store: KeyStore) -> None:
    """A key whose time is over opens nothing; one whose time runs does."""
    _, over = key_store.create("over", ALL, valid_s=-1)
    _, runs = key_store.create("runs", ALL, valid_s=3600)
    assert gateways[0].get("/task_result/x", headers=bearer(over)).status_code == 401
    assert gateways[0].get("/task_result/x", headers=bearer(runs)).status_code == 404


@pytest.mark.parametrize(
    ("scopes", "read", "submit"),
    [({Scope.READ}, 404, 403), ({Scope.SUBMIT}, 403, 422), ({Scope.ADMIN}, 404, 422)],
)
def test_a_key_does_what_it_was_made_for(
    gateways: Pair, key_store: KeyStore, scopes: set[Scope], read: int, submit: int
) -> None:
    """Reading needs `read`; posting, deleting, and bocashi's deleting GET need `submit`."""
    headers = bearer(key_store.create("scoped", frozenset(scopes))[1])
    client = gateways[0]
    assert client.get("/task_result/x", headers=headers).status_code == read
    assert client.post("/detect_faces", headers=headers).status_code == submit
    assert (client.delete("/task_result/x", headers=headers).status_code == 403) is (submit == 403)
    assert (client.get("/delete/x.jpg", headers=headers).status_code == 403) is (submit == 403)


def test_anothers_task_is_an_unknown_task(gateways: Pair, key_store: KeyStore, portrait: Path) -> None:
    """GET, image, DELETE, redaction and bocashi's names answer as for an id that never was, word for word."""
    client = gateways[0]
    mine, other = (bearer(key_store.create(name, ALL)[1]) for name in ("mine", "other"))
    form = {"output": "jpeg"}
    photo = {"file": portrait.read_bytes()}
    task = client.post("/blur", files=photo, data=form, headers=mine).json()["task_id"]
    never = "00000000-0000-4000-8000-000000000000"

    def calls(task_id: str) -> list[tuple[int, str]]:
        boxes = {"task_id": task_id, "boxes": "[[1, 1, 9, 9]]"}
        answers = [
            client.get(f"/task_result/{task_id}", headers=other),
            client.get(f"/task_result/{task_id}", params={"wait": 1}, headers=other),
            client.get(f"/task_result/{task_id}/image", headers=other),
            client.delete(f"/task_result/{task_id}", headers=other),
            client.post("/redact", files={"x": b""}, data=boxes, headers=other),
            client.get(f"/download/{task_id}.jpg", headers=other),
            client.get(f"/delete/{task_id}.jpg", headers=other),
        ]
        return [(answer.status_code, answer.text.replace(task_id, "ID")) for answer in answers]

    assert calls(task) == calls(never)
    assert [status for status, _ in calls(task)] == [404, 404, 404, 404, 404, 404, 200]
    # Still there, and its owner's.
    assert client.get(f"/task_result/{task}", headers=mine).json() == {"status": "PENDING"}
    assert client.delete(f"/task_result/{task}", headers=mine).status_code == 204


def test_only_hashes_are_kept(gateways: Pair, key_store: KeyStore, valkey_url: str, tmp_path: Path) -> None:
    """Nothing in the server holds the text of a key, nor its secret; the gateways' logs neither."""
    _, text = key_store.create("secret", ALL)
    gateways[0].get("/task_result/x", headers=bearer(text))
    gateways[0].get("/task_result/x", headers=bearer(text + "x"))
    secret = text.split("_", 2)[2]
    client = redis.Redis.from_url(valkey_url)
    kept = b"".join(bytes(client.dump(name) or b"") for name in client.keys("*")).decode("latin-1")
    assert "secret" in kept, "the key's name is there"
    assert secret not in kept
    client.close()


def test_the_limit_of_a_key_is_exact_over_two_gateways(gateways: Pair, key_store: KeyStore) -> None:
    """Of twice as many requests at once on both, exactly the limit is let in; the rest is told when."""
    headers = bearer(key_store.create("busy", ALL)[1])

    def ask(number: int) -> httpx.Response:
        return gateways[number % 2].get("/task_result/x", headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(2 * LIMIT)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) == LIMIT
    assert {code(answer) for answer in refused} == {"rate_limited"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
    # Nobody else's affair.
    assert (
        gateways[0].get("/task_result/x", headers=bearer(key_store.create("calm", ALL)[1])).status_code == 404
    )
    assert gateways[0].get("/livez").status_code == 200


def test_the_limit_of_an_address_holds_without_a_key(valkey_url: str, tmp_path: Path) -> None:
    """Strangers are counted too, before anything is looked up for them; health is not."""
    with RunningGateway(valkey_url, tmp_path, api_keys="on", address_rate_limit="5/minute") as gateway:
        states = [httpx.get(f"{gateway.url}/task_result/x").status_code for _ in range(9)]
        assert states == [401] * 5 + [429] * 4
        assert httpx.get(f"{gateway.url}/livez").status_code == 200


def keys(*arguments: object) -> Done:
    """Run a command about keys."""
    return obscura("keys", *arguments)


def test_a_system_that_others_can_reach_asks_for_keys(tmp_path: Path, portrait: Path) -> None:
    """`obscura serve --host 0.0.0.0` asks for the keys that `obscura keys` makes, lists and revokes."""
    one = {"OBSCURA_CONCURRENCY": "1"}
    running = RunningSystem("standalone", tmp_path / "data", "--host", "0.0.0.0", settings=one)  # noqa: S104 - the point of it
    place = ("--data-dir", running.data_dir)
    try:
        running.wait_until_ready()
        with httpx.Client(base_url=running.url, timeout=60) as client:
            photo = portrait.read_bytes()
            assert client.post("/detect_faces", files={"file": photo}).status_code == 401
            made = in_a_process("keys", "create", "a phone", *place)
            assert made.returncode == 0, made.stderr
            client.headers = httpx.Headers({"x-api-key": made.stdout.strip()})
            assert work(client, "/detect_faces", photo)["status"] == "SUCCESS"
            listed = json.loads(keys("list", "--json", *place).stdout)
            assert (listed["name"], listed["scopes"]) == ("a phone", ["read", "submit"])
            assert listed["last_used"]
            assert made.stdout.strip().split("_", 2)[2] not in keys("list", *place).stdout
            assert keys("revoke", listed["id"], *place).returncode == 0
            assert client.get("/task_result/x").status_code == 401
            assert keys("revoke", listed["id"], *place).returncode == 2
        assert "obscura keys create" in running.log.read_text()
    finally:
        running.stop()
    gone = keys("list", *place)
    assert gone.returncode == 2
    assert "OBSCURA_REDIS_URL" in gone.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "x", "--scopes", "everything"),
        ("create", "x", "--expires-in", "soon"),
        ("create", " "),
        ("create", "x\ny"),
    ],
)
def test_wrong_arguments_end_with_a_message(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """No traceback, exit code 2, and no key made."""
    monkeypatch.setenv("OBSCURA_REDIS_URL", valkey_url)
    before = keys("list").stdout
    done = keys(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert keys("list").stdout == before


def test_switched_off_on_purpose_it_warns(valkey_url: str, tmp_path: Path) -> None:
    """Keys may be off where others can reach the gateway, but every start says so."""
    with RunningGateway(valkey_url, tmp_path, "0.0.0.0", api_keys="off") as gateway:  # noqa: S104 - see above
        assert httpx.get(f"{gateway.url}/task_result/x").status_code == 404
        assert "api_keys_off" in gateway.log.read_text()


def test_two_different_keys_are_none(gateways: Pair, key_store: KeyStore) -> None:
    """A request whose headers name two keys is nobody's; the same key twice is one."""
    _, text = key_store.create("twice", ALL)
    both = {"authorization": f"Bearer {text}", "x-api-key": text}
    assert gateways[0].get("/task_result/x", headers=both).status_code == 404
    answer = gateways[0].get("/task_result/x", headers={**both, "x-api-key": "obscura_other"})
    assert (answer.status_code, code(answer)) == (401, "invalid_key")
