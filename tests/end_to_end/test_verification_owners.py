"""A second key's tour through photo verification: word for word what is said of things that are not there."""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.settings import Settings
from tests.verification import Verification, blank, something_else, standard, taken_again, text

pytestmark = pytest.mark.end_to_end
ALL = frozenset({Scope.SUBMIT, Scope.READ})
OPEN = {"start_date": "2000-01-01", "end_date": "2099-12-31"}
CONTENT = {"feed_content": "x"}
PHOTOS = {
    "same": text(taken_again()),
    "equal": text(standard()),
    "other": text(something_else()),
    "blank": text(blank()),
    "none": "x",
}


class Callers:
    """Callers with keys of their own, and one that administers."""

    def __init__(self, parts: Verification, ring: KeyStore) -> None:
        self.parts = parts
        self.ring = ring
        self.clients: list[httpx.Client] = []
        self.admin = self.client(frozenset({Scope.ADMIN}))
        self.first = self.client(ALL)
        self.second = self.client(ALL)
        self.writer = self.client(frozenset({Scope.SUBMIT}))

    def client(self, scopes: frozenset[Scope]) -> httpx.Client:
        """Return a client with a new key."""
        key, secret = self.ring.create("somebody", scopes)
        headers = {"x-api-key": secret, "x-key-id": key.id}
        client = httpx.Client(base_url=self.parts.url, headers=headers, timeout=180)
        self.clients.append(client)
        return client


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Gateway and worker that ask for keys; the first key has standard photos, participation 7 is open."""
    settings = {"OBSCURA_API_KEYS": "on", "OBSCURA_TIME_ZONE": "UTC"}
    parts = Verification(tmp_path_factory.mktemp("owners"), settings)
    ring = KeyStore(Settings(redis_url=parts.redis_url))
    try:
        parts.wait_until_ready()
        made = Callers(parts, ring)
        challenge = made.admin.post("/admin/challenges", json=OPEN).json()["challenge_id"]
        joined = made.admin.post(
            f"/admin/challenges/{challenge}/participations", json={"participation_id": 7}
        )
        assert joined.status_code == 201
        yield made
        for client in made.clients:
            client.close()
    finally:
        ring.close()
        parts.stop()


def said(client: httpx.Client, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Return what a caller is told, to the byte."""
    answer = client.post(path, json=body)
    return answer.status_code, answer.content


def registered(client: httpx.Client, photo: str) -> str:
    """Register a photo in both dialects; return its URL in the first."""
    done = client.post("/auth/stdimg", json={"participation_id": 7, "std_img": photo})
    assert done.status_code == 200, done.text
    named = client.post("/auth/stdimg", json={"data": photo, "name": "hong"}).json()
    assert named["result"] is True
    return str(named["url"])


@pytest.mark.parametrize(
    ("sent", "paths"),
    [
        (("same",), ("/auth/feature",)),
        pytest.param(tuple(PHOTOS), ("/auth/feature", "/auth/test"), marks=pytest.mark.slow),
    ],
)
def test_a_second_key_finds_nothing(callers: Callers, sent: Sequence[str], paths: Sequence[str]) -> None:
    """Every call that reaches a stored photo, in both dialects, whatever photo comes with it."""
    # A key of its own: other tests register photos with the second one.
    stranger = callers.client(ALL)
    url = registered(callers.first, text(standard()))
    assert str(callers.parts.folder) not in url
    nowhere = url.replace("std_", "std_no")
    before = callers.parts.stored()
    for debug in ({}, {"debug": True}):
        for photo in (PHOTOS[name] for name in sent):
            for path in paths:
                for theirs, none in (
                    ({"name": "hong"}, {"name": "nobody"}),
                    ({"url": url}, {"url": nowhere}),
                ):
                    asked = [{"data": photo, **where, **debug} for where in (theirs, none)]
                    told = [said(stranger, path, body) for body in asked]
                    assert told[0] == told[1], (path, theirs)
            asked = [{"participation_id": who, "feed_img": photo, **CONTENT, **debug} for who in (7, 99)]
            told = [said(stranger, "/auth/feature", body) for body in asked]
            assert told[0] == told[1]
    assert callers.parts.stored() == before
    mine = callers.first.post("/auth/feature", json={"data": PHOTOS["same"], "url": url, "debug": True})
    assert mine.json()["result"] is True
    assert mine.json()["debug"]["picture"]


def test_a_second_key_overwrites_nothing(callers: Callers) -> None:
    """It may use the same participation and name: each compares with what it has registered itself."""
    first, second = registered(callers.first, PHOTOS["equal"]), registered(callers.second, PHOTOS["other"])
    assert first != second
    for client, mine, other in (
        (callers.first, PHOTOS["same"], PHOTOS["other"]),
        (callers.second, PHOTOS["other"], PHOTOS["same"]),
    ):
        for photo, fits in ((mine, True), (other, False)):
            named = client.post("/auth/feature", json={"data": photo, "name": "hong"}).json()
            assert named["message"] == ("Complete" if fits else "You took wrong picture")
            body = {"participation_id": 7, "feed_img": photo, **CONTENT}
            assert client.post("/auth/feature", json=body).status_code == (200 if fits else 400)


def test_a_key_that_may_not_read_is_shown_no_photo(callers: Callers) -> None:
    """`debug` shows the standard photo: without `read` the answer is that of no photo, else as usual."""
    url = registered(callers.writer, PHOTOS["equal"])
    photo = PHOTOS["same"]
    for theirs, none in (
        ({"data": photo, "name": "hong"}, {"data": photo, "name": "nobody"}),
        ({"data": photo, "url": url}, {"data": photo, "url": url.replace("std_", "std_no")}),
        *([{"participation_id": who, "feed_img": photo, **CONTENT} for who in (7, 99)],),
    ):
        told = [said(callers.writer, "/auth/feature", {**body, "debug": True}) for body in (theirs, none)]
        assert told[0] == told[1]
        assert b"picture" not in told[0][1]
        plain = callers.writer.post("/auth/feature", json=theirs)
        assert plain.status_code == 200
        assert plain.json().get("result", True) is True


def test_the_photos_of_a_key_that_is_replaced_go_with_it(callers: Callers) -> None:
    """An administrator assigns them; nobody else may, and two keys' photos are never mixed."""
    old, new = callers.client(ALL), callers.client(ALL)
    registered(old, PHOTOS["equal"])
    change = {"old_owner": old.headers["x-key-id"], "new_owner": new.headers["x-key-id"]}
    assert callers.second.post("/admin/owners", json=change).status_code == 403
    assert callers.admin.post("/admin/owners", json=change).json() == {"photos": 2}
    compare = {"data": PHOTOS["same"], "name": "hong"}
    assert old.post("/auth/feature", json=compare).json()["message"] == "You don't have std img"
    assert new.post("/auth/feature", json=compare).json()["message"] == "Complete"
    registered(old, PHOTOS["equal"])
    refused = callers.admin.post("/admin/owners", json=change)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
