"""What callers of photo verification are told when a part of the system is down, and what is left of it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.databases import PostgresServer
from tests.verification import Verification, standard, taken_again, text

pytestmark = pytest.mark.end_to_end

PHOTO = text(taken_again())
SOMETHING_WRONG = (200, {"status": 500, "message": "Something Wrong", "result": False})
UNFORESEEN = (500, {"message": "뭔가 잘못 되었고, 문의바랍니다."})
REGISTERED = (200, {"message": "완료 되었습니다.", "status": 200, "data": {"message": "완료 되었습니다."}})
POSTED = (200, {"message": "완료되었습니다.", "status": 200, "data": {"message": "완료되었습니다."}})
REGISTER = {"participation_id": 7, "std_img": PHOTO}
POST = {"participation_id": 7, "feed_img": PHOTO, "feed_content": "x"}
CLASSIFY = POST | {"classification_keyword": "cat"}
LOSE_S = 120.0


def refused(errcode: int, message: str) -> tuple[int, dict[str, Any]]:
    """Return dialect 2's answer for a part that is down."""
    inner = {"message": message, "errcode": errcode}
    return 500, {**inner, "status": 500, "data": inner}


NOT_UPLOADED = "사진이 업로드 되지 않습니다."
# Path and body, and what is said while rows or objects cannot be written.
DOWN: tuple[tuple[str, dict[str, Any], tuple[int, dict[str, Any]]], ...] = (
    ("/auth/stdimg", REGISTER, refused(4, NOT_UPLOADED)),
    ("/auth/feature", POST, refused(5, NOT_UPLOADED)),
    ("/auth/classification", CLASSIFY, refused(5, "S3 오류")),
    ("/auth/stdimg", {"data": PHOTO, "name": "hong"}, SOMETHING_WRONG),
    ("/auth/feature", {"data": PHOTO, "name": "hong"}, SOMETHING_WRONG),
)


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer) -> str:
    """Return the URL of a database on a server that can be stopped."""
    return postgres.new_database()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Verification]:
    """Gateway and worker with rows in PostgreSQL."""
    settings = {
        "OBSCURA_DATABASE_URL": database_url,
        "OBSCURA_VERIFICATION_TIMEOUT_S": "3",
        "OBSCURA_TIME_ZONE": "UTC",
        # Nobody listens there.
        "OBSCURA_TAGGER": "clarifai",
        "OBSCURA_CLARIFAI_PAT": "a-secret-token",
        "OBSCURA_CLARIFAI_BASE": "http://127.0.0.1:9",
        "OBSCURA_TAGGER_TIMEOUT_S": "2",
    }
    running = Verification(tmp_path_factory.mktemp("failures"), settings)
    try:
        running.wait_until_ready()
        running.open_participation(7)
        yield running
    finally:
        running.stop()


@pytest.fixture
def whole(parts: Verification) -> Verification:
    """Return the system with a standard photo of participation 7 and of a name."""
    assert told(parts, "/auth/stdimg", REGISTER | {"std_img": text(standard())}) == REGISTERED
    assert parts.post("/auth/stdimg", {"data": text(standard()), "name": "hong"}).json()["result"] is True
    return parts


def told(parts: Verification, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return what a caller is told."""
    answer = parts.post(path, body)
    return answer.status_code, answer.json()


def urls_in_rows(database_url: str) -> list[str]:
    """Return the names of all objects that rows speak of."""
    query = (
        "SELECT standard_img FROM auth_standard_img UNION ALL SELECT standard_img FROM named_standard_img "
        "UNION ALL SELECT feed_img FROM feed"
    )
    with psycopg.connect(database_url) as connection:
        return sorted(Path(row[0]).name for row in connection.execute(query))


def until(condition: Callable[[], object]) -> None:
    """Wait for something that has to happen soon."""
    deadline = time.monotonic() + LOSE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_rows_are_kept_in_postgresql(whole: Verification, database_url: str) -> None:
    """Both dialects work on it; rows and objects are the same ones."""
    assert told(whole, "/auth/feature", POST) == POSTED
    assert whole.post("/auth/feature", {"data": PHOTO, "name": "hong"}).json()["message"] == "Complete"
    assert whole.stored() == urls_in_rows(database_url)
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT feed_type, participation_id, feed_content FROM feed").fetchone()
    assert row == ("auth", 7, "x")


def test_the_database_is_down(whole: Verification, postgres: PostgresServer, database_url: str) -> None:
    """Each call has its own words for it; nothing is stored; when it is back so is everything."""
    assert told(whole, "/auth/feature", POST) == POSTED
    before = whole.stored()
    postgres.stop()
    try:
        for path, body, expected in DOWN:
            assert told(whole, path, body) == expected
        assert whole.post("/auth/stdimg", {"data": PHOTO}).json()["message"] == "Good Picture"
        answer = whole.client.get("/admin/challenges")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
        assert whole.stored() == before
        assert whole.left_over() == []
    finally:
        postgres.start()
    assert told(whole, "/auth/feature", POST) == POSTED
    assert whole.stored() == urls_in_rows(database_url)


def test_the_storage_is_down(whole: Verification, database_url: str) -> None:
    """The same words; no row is written; when it is back so is everything."""
    before, rows = whole.stored(), urls_in_rows(database_url)
    away = whole.folder / "away"
    whole.photos.rename(away)
    whole.photos.write_bytes(b"in the way")
    try:
        for path, body, expected in DOWN:
            assert told(whole, path, body) == expected
        assert urls_in_rows(database_url) == rows
    finally:
        whole.photos.unlink()
        away.rename(whole.photos)
    assert whole.stored() == before
    assert told(whole, "/auth/feature", POST) == POSTED


def test_the_tagger_is_down(whole: Verification, database_url: str) -> None:
    """Both dialects name it; nothing is stored; whoever needs no tags does not notice."""
    before = whole.stored()
    fault = (200, {"status": 500, "message": "Clarifai Api Fault", "result": False})
    assert told(whole, "/auth/tag", {"data": PHOTO, "tag": "cat"}) == fault
    words = "Clarifai 서버 문제, 혹은 그에 관한 문제"
    assert told(whole, "/auth/classification", CLASSIFY) == refused(2, words)
    assert whole.stored() == before == urls_in_rows(database_url)
    assert told(whole, "/auth/feature", POST) == POSTED
    assert "a-secret-token" not in (whole.folder / "log").read_text()


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for child processes in /proc")
def test_a_process_that_dies_between_object_and_row_is_followed_by_another(
    whole: Verification, database_url: str
) -> None:
    """The object is there, its row cannot be written yet, the process is killed: one object, one row."""
    rows = len(urls_in_rows(database_url))
    answers: list[tuple[int, dict[str, Any]]] = []
    before = set(whole.stored())
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE feed IN ACCESS EXCLUSIVE MODE")
        caller = threading.Thread(target=lambda: answers.append(told(whole, "/auth/feature", POST)))
        caller.start()
        until(lambda: set(whole.stored()) - before)
        children = Path(f"/proc/{whole.worker.pid}/task/{whole.worker.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        until(lambda: not Path(f"/proc/{children[0]}/cmdline").exists() or _is_dead(children[0]))
    caller.join()
    assert answers in ([POSTED], [UNFORESEEN])
    _expire(database_url)
    whole.kill_worker()
    whole.start_worker()
    until(lambda: whole.stored() == urls_in_rows(database_url))
    assert len(urls_in_rows(database_url)) == rows + (answers == [POSTED])


def _is_dead(child: str) -> bool:
    return Path(f"/proc/{child}/cmdline").read_bytes() == b""


def _expire(database_url: str) -> None:
    """Let the time pass in which a process may be alive that announced an object."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE pending_object SET expires = 0")


@pytest.mark.slow
@pytest.mark.chaos
def test_a_worker_that_dies_between_object_and_row_leaves_no_object(
    whole: Verification, database_url: str
) -> None:
    """Its caller is told in time; the next worker sweeps what it left."""
    rows, before = urls_in_rows(database_url), set(whole.stored())
    answers: list[tuple[int, dict[str, Any]]] = []
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE feed IN ACCESS EXCLUSIVE MODE")
        caller = threading.Thread(target=lambda: answers.append(told(whole, "/auth/feature", POST)))
        caller.start()
        until(lambda: set(whole.stored()) - before)
        whole.kill_worker()
        caller.join()
    assert answers == [UNFORESEEN]
    assert urls_in_rows(database_url) == rows
    assert set(whole.stored()) - before
    assert whole.left_over() == []
    _expire(database_url)
    whole.start_worker()
    until(lambda: set(whole.stored()) == before)
    assert told(whole, "/auth/feature", POST) == POSTED


@pytest.mark.slow
@pytest.mark.chaos
def test_without_a_worker_callers_are_told_in_time(whole: Verification, database_url: str) -> None:
    """The words for what nobody foresaw, soon; a request that was given up is not done later."""
    rows = urls_in_rows(database_url)
    whole.kill_worker()
    try:
        assert told(whole, "/auth/feature", POST) == UNFORESEEN
        assert told(whole, "/auth/feature", {"data": PHOTO, "name": "hong"}) == SOMETHING_WRONG
        assert whole.left_over() == []
    finally:
        whole.start_worker()
    assert told(whole, "/auth/stdimg", {"data": PHOTO})[1]["message"] == "Good Picture"
    assert urls_in_rows(database_url) == rows
