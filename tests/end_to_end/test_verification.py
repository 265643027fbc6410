"""Every row of the two verification dialects, byte for byte, on running processes."""

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from typer.testing import CliRunner

from obscura.cli.challenges import app as administration
from obscura.errors import RemoteRefusalError
from tests import photos
from tests.classifier import colour_classifier
from tests.system import ROOT
from tests.verification import (
    Verification,
    animated,
    blank,
    something_else,
    standard,
    taken_again,
    text,
)

pytestmark = pytest.mark.end_to_end
Body: TypeAlias = dict[str, Any]

ONE = {
    "again": b'{"status":400,"message":"Take Picture Again","result":false}',
    "few": b'{"status":400,"message":"Too Little Features","result":false}',
    "good": b'{"status":200,"message":"Good Picture","result":true}',
    "wrong": b'{"status":500,"message":"Something Wrong","result":false}',
    "no_std": b'{"status":400,"message":"You don\'t have std img","result":false}',
    "missing": b'{"status":400,"message":"Missing Picture","result":false}',
    "missing_std": b'{"status":500,"message":"Missing Std Picture","result":false}',
    "mismatch": b'{"status":200,"message":"You took wrong picture","result":false}',
    "complete": b'{"status":200,"message":"Complete","result":true}',
    "no_tag": b'{"status":400,"message":"No Tag","result":false}',
    "fault": b'{"status":500,"message":"Clarifai Api Fault","result":false}',
    "matched": b'{"status":200,"message":"Matched","result":true}',
    "not_matched": b'{"status":200,"message":"Not Matched","result":false}',
}


def two(status: int, message: str, errcode: int | None = None) -> tuple[int, bytes]:
    """Return the status and the literal bytes of dialect 2."""
    inner = f'"message":"{message}"' + ("" if errcode is None else f',"errcode":{errcode}')
    return status, f'{{{inner},"status":{status},"data":{{{inner}}}}}'.encode()


BAD_INPUT = two(400, "입력이 바르지 않습니다.", 1)
NO_PHOTO = two(400, "사진이 첨부되지 않았습니다.", 2)
FEW = two(400, "특징점이 확실한 사직을 찍어주세요.", 3)
REGISTERED = two(200, "완료 되었습니다.")
NO_STANDARD = two(400, "기준 사진이 존재하지 않습니다.", 2)
WRONG_TIME = two(400, "인증 시간이 아닙니다.", 3)
MISMATCH = two(400, "사진이 일치하지 않습니다.", 4)
POSTED = two(200, "완료되었습니다.")
WRONG_WORD = two(400, "해당 단어에 알맞지 않은 사진이거나, 사진을 다시 찍어주세요.", 3)
CLASSIFIED = two(200, "완료")
CLASSIFIED_WRONG_TIME = two(400, "인증 시간이 아닙니다.", 4)


@pytest.fixture(scope="module")
def pictures() -> Iterator[str]:
    """Serve a standard photo, something that is none, and redirects, from this machine."""
    files = {"/std.jpg": standard(), "/text.jpg": b"no photo", "/large.jpg": bytes(30 * 1024 * 1024)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path in {"/here", "/there"}:
                host = "" if self.path == "/here" else f"http://localhost:{self.server.server_port}"  # type: ignore[attr-defined]
                self.send_response(302)
                self.send_header("location", f"{host}/std.jpg")
                self.end_headers()
                return
            self.send_response(200 if self.path in files else 404)
            self.end_headers()
            try:
                self.wfile.write(files.get(self.path, b""))
            except OSError:
                return

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, pictures: str) -> Iterator[Verification]:
    """Gateway and worker; pictures may be fetched from the server above."""
    folder = tmp_path_factory.mktemp("verification")
    (folder / "colours.onnx").write_bytes(colour_classifier())
    (folder / "labels.txt").write_text("red, crimson\ngreen\nblue\n")
    settings = {
        "OBSCURA_VERIFICATION_URL_HOSTS": pictures.removeprefix("http://"),
        "OBSCURA_TAGGER": "onnx",
        "OBSCURA_TAGGER_MODEL": str(folder / "colours.onnx"),
        "OBSCURA_TAGGER_LABELS": str(folder / "labels.txt"),
        "OBSCURA_TAG_MIN_SCORE": "0.4",
    }
    running = Verification(folder, settings)
    try:
        running.wait_until_ready()
        running.open_participation(7)
        assert (
            running.post("/auth/stdimg", {"participation_id": 7, "std_img": text(standard())}).status_code
            == 200
        )
        assert (
            running.post("/auth/stdimg", {"data": text(standard()), "name": "hong"}).json()["result"] is True
        )
        yield running
    finally:
        running.stop()


def rows(parts: Verification, table: str) -> list[dict[str, Any]]:
    """Return a table of the running service."""
    connection = sqlite3.connect(parts.folder / "rows.db")
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - our own names
    finally:
        connection.close()


PHOTO = text(taken_again())
RED = text(photos.encoded(Image.new("RGB", (64, 48), (250, 5, 5))))
HUGE = text(bytes(26 * 1024 * 1024))
NOT_PHOTOS: Body = {
    "empty": "",
    "no base64": "%%%",
    "no picture": text(b"not a picture"),
    "cut short": text(standard()[:9000]),
    "animated": text(animated()),
    "number": 5,
    "null": None,
    "list": [PHOTO],
    "half a character": "\ud800",
}
NO_STANDARDS: tuple[Body, ...] = (
    {"name": ""},
    {"name": "nobody"},
    {"url": ""},
    {"name": "y" * 500},
    {"name": None},
    {"name": []},
)
NO_TAGS: tuple[object, ...] = ("", "  ", None, 5.5, [], {"a": 1})
NO_CONTENTS: tuple[object, ...] = (None, 5, [], "\x00", "x" * 20_001)
NOT_ENOUGH = {
    "white": text(blank()),
    "black": text(blank(0)),
    "tiny": text(photos.encoded(Image.new("RGB", (1, 1)))),
    "thin": text(photos.encoded(Image.new("RGB", (4000, 2), "gray"))),
}


@pytest.mark.parametrize("path", ["/auth/stdimg", "/auth/test"])
def test_one_checks_a_standard_photo(parts: Verification, path: str) -> None:
    """Take Picture Again, Too Little Features, Good Picture."""
    answer = parts.post(path, {"data": text(standard())})
    assert (answer.status_code, answer.content) == (200, ONE["good"])
    assert answer.headers["content-type"] == "application/json"
    for data in NOT_PHOTOS.values():
        answer = parts.post(path, {"data": data})
        assert (answer.status_code, answer.content) == (200, ONE["again"])
    for data in NOT_ENOUGH.values():
        assert parts.post(path, {"data": data}).content == ONE["few"]


def test_one_stores_a_standard_photo_under_a_name(parts: Verification) -> None:
    """The answer says where it lies; a number is a name; the last photo of a name counts."""
    first = parts.post("/auth/stdimg", {"data": text(standard()), "name": 12}).json()
    assert (first["status"], first["message"], first["result"]) == (200, "Good Picture", True)
    second = parts.post("/auth/stdimg", {"data": text(something_else()), "name": "12"}).json()
    assert first["url"] != second["url"]
    assert Path(second["url"]).name in parts.stored()
    assert Path(first["url"]).name not in parts.stored()
    assert parts.post("/auth/feature", {"data": PHOTO, "name": "12"}).content == ONE["mismatch"]
    assert (
        parts.post("/auth/feature", {"data": text(something_else()), "url": second["url"]}).content
        == ONE["complete"]
    )
    for name in ("../../etc/passwd", "a/b", "한글 이름", "x" * 200, "std_1", "\\"):
        stored = parts.post("/auth/stdimg", {"data": text(standard()), "name": name}).json()
        assert Path(stored["url"]).name in parts.stored()
        assert parts.post("/auth/feature", {"data": PHOTO, "name": name}).content == ONE["complete"]
    assert not [path for path in parts.folder.rglob("*.jpg") if path.parent != parts.photos]


@pytest.mark.parametrize("path", ["/auth/feature", "/auth/test"])
def test_one_compares(parts: Verification, pictures: str, path: str) -> None:
    """Each row, in the order of the table: no standard, no picture, no standard picture, wrong, complete."""
    for where in NO_STANDARDS:
        assert parts.post(path, {"data": "unreadable", **where}).content == ONE["no_std"]
    if path == "/auth/feature":
        assert parts.post(path, {"data": PHOTO}).content == ONE["no_std"]
    for data in NOT_PHOTOS.values():
        answer = parts.post(path, {"data": data, "name": "hong"})
        assert answer.content == ONE["missing"]
    for data in (text(something_else()), *NOT_ENOUGH.values()):
        assert parts.post(path, {"data": data, "name": "hong"}).content == ONE["mismatch"]
    for where in ({"name": "hong"}, {"url": f"{pictures}/std.jpg"}, {"url": f"{pictures}/here"}):
        answer = parts.post(path, {"data": PHOTO, **where})
        assert (answer.status_code, answer.content) == (200, ONE["complete"])


def test_one_opens_standard_pictures_of_listed_hosts_only(parts: Verification, pictures: str) -> None:
    """Whatever is wrong with a URL, it is Missing Std Picture: nobody learns what lies behind a host."""
    other = pictures.replace("127.0.0.1", "localhost")
    key = next(path for path in parts.photos.glob("std_*.jpg"))
    for url in (
        f"{pictures}/text.jpg",
        f"{pictures}/none.jpg",
        f"{pictures}/large.jpg",
        f"{pictures}/there",
        f"{other}/std.jpg",
        pictures.replace("http://", "http://user@") + "/std.jpg",
        pictures.replace("http://", "ftp://") + "/std.jpg",
        pictures.replace("127.0.0.1", "127.1") + "/std.jpg",
        parts.url + "/livez",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "file:///etc/passwd",
        f"file://{parts.folder}/rows.db",
        f"file://{key.parent}/../photos/{key.name}",
        "no url",
        "http://",
        f"http://{'a' * 3000}/",
    ):
        assert parts.post("/auth/feature", {"data": PHOTO, "url": url}).content == ONE["missing_std"], url
        assert parts.post("/auth/feature", {"data": "x", "url": url}).content == ONE["missing"], url


def test_one_says_so_when_a_stored_standard_is_gone_or_broken(parts: Verification) -> None:
    """The descriptors that are remembered never stand in for a photo that is not there any more."""
    url = parts.post("/auth/stdimg", {"data": text(standard()), "name": "lost"}).json()["url"]
    assert parts.post("/auth/feature", {"data": PHOTO, "name": "lost"}).content == ONE["complete"]
    path = parts.photos / Path(url).name
    whole = path.read_bytes()
    path.write_bytes(b"no picture")
    assert parts.post("/auth/feature", {"data": PHOTO, "name": "lost"}).content == ONE["missing_std"]
    path.unlink()
    assert parts.post("/auth/feature", {"data": PHOTO, "name": "lost"}).content == ONE["missing_std"]
    path.write_bytes(whole)
    assert parts.post("/auth/feature", {"data": PHOTO, "name": "lost"}).content == ONE["complete"]


def test_base64_comes_in_many_forms(parts: Verification) -> None:
    """A data: prefix, line breaks, the URL-safe alphabet and absent padding are all understood."""
    plain = text(taken_again())
    lines = base64.encodebytes(taken_again()).decode()
    safe = base64.urlsafe_b64encode(taken_again()).decode()
    for form in (
        f"data:image/jpeg;base64,{plain}",
        f"data:image/jpeg;charset=utf-8;base64,{lines}",
        lines,
        lines.replace("\n", "\r\n"),
        safe,
        safe.rstrip("="),
        f"  {plain}\n",
    ):
        assert parts.post("/auth/feature", {"data": form, "name": "hong"}).content == ONE["complete"]


def test_pictures_are_seen_as_people_see_them(parts: Verification) -> None:
    """Turned by EXIF or for real, as PNG or WebP, large or small: the same thing is the same thing."""
    picture = photos.portrait()
    for data in (
        *(photos.turned(picture, orientation) for orientation in (3, 6, 8)),
        photos.encoded(picture.rotate(90, expand=True)),
        photos.encoded(picture.rotate(180)),
        photos.encoded(picture, "PNG"),
        photos.encoded(picture, "WEBP"),
        photos.encoded(picture.convert("L")),
        photos.encoded(picture.resize((3000, 3000))),
        photos.encoded(picture.resize((256, 256))),
    ):
        assert parts.post("/auth/feature", {"data": text(data), "name": "hong"}).content == ONE["complete"]


def test_one_matches_tags(parts: Verification) -> None:
    """No Tag before anything else, a fault for what no tagger can open, Matched, Not Matched."""
    for tag in NO_TAGS:
        assert parts.post("/auth/tag", {"data": RED, "tag": tag}).content == ONE["no_tag"]
    assert parts.post("/auth/tag", {"data": RED}).content == ONE["no_tag"]
    assert parts.post("/auth/tag", {"data": "x", "tag": "red"}).content == ONE["fault"]
    for tag in ("red", " Crimson ", "RED"):
        assert parts.post("/auth/tag", {"data": RED, "tag": tag}).content == ONE["matched"]
    for tag in ("green", "re", "빨강", "x" * 10_000):
        assert parts.post("/auth/tag", {"data": RED, "tag": tag}).content == ONE["not_matched"]


def both(answer: Any) -> tuple[int, bytes]:
    """Return what dialect 2 is told by."""
    return answer.status_code, answer.content


def test_two_registers_a_standard_photo(parts: Verification) -> None:
    """Input, photo, features, done; one current row, whose URL is an object that is there."""
    for body in ({"std_img": PHOTO}, *({"participation_id": number, "std_img": PHOTO} for number in BAD_IDS)):
        assert both(parts.post("/auth/stdimg", body)) == BAD_INPUT
    for data in NOT_PHOTOS.values():
        answer = parts.post("/auth/stdimg", {"participation_id": 8, "std_img": data})
        assert both(answer) == NO_PHOTO
    assert both(parts.post("/auth/stdimg", {"participation_id": 8})) == NO_PHOTO
    for data in NOT_ENOUGH.values():
        assert both(parts.post("/auth/stdimg", {"participation_id": "8", "std_img": data})) == FEW
    before = parts.stored()
    for number in ("8", 8, " 08 "):
        assert both(parts.post("/auth/stdimg", {"participation_id": number, "std_img": PHOTO})) == REGISTERED
    mine = [row for row in rows(parts, "auth_standard_img") if row["participation_id"] == 8]
    assert len(mine) == 1
    name = Path(mine[0]["standard_img"]).name
    kind, number, moment, token = name.removesuffix(".jpg").split("_")
    assert (kind, number, len(token)) == ("std", "8", 8)
    local = datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo("Asia/Seoul"))
    assert abs(datetime.now(ZoneInfo("Asia/Seoul")) - local) < timedelta(minutes=1)
    assert parts.stored() == sorted([*before, name])
    assert (parts.photos / name).read_bytes().startswith(b"\xff\xd8\xff")


BAD_IDS: tuple[object, ...] = (
    "",
    "x",
    "-1",
    -1,
    "7.0",
    7.5,
    None,
    True,
    [],
    {},
    "\N{FULLWIDTH DIGIT SEVEN}",
    2**63,
    str(2**63),
    "9" * 5000,
    "7; DROP TABLE feed",
)


def test_two_posts_a_feature(parts: Verification) -> None:
    """Input, standard photo, time, comparison, row: each refusal before the next, and then both copies."""
    good: Body = {
        "participation_id": 7,
        "feed_img": PHOTO,
        "feed_content": "오늘도 했다 \N{SMILING FACE WITH SUNGLASSES}",
    }
    changes: tuple[Body, ...] = (
        *({"participation_id": number} for number in BAD_IDS),
        *({"feed_content": content} for content in NO_CONTENTS),
        *({"feed_img": data} for data in NOT_PHOTOS.values()),
    )
    for changed in changes:
        assert both(parts.post("/auth/feature", good | changed)) == BAD_INPUT
    for absent in good:
        assert both(parts.post("/auth/feature", {k: v for k, v in good.items() if k != absent})) == BAD_INPUT
    assert both(parts.post("/auth/feature", good | {"participation_id": 99})) == NO_STANDARD
    parts.post("/auth/stdimg", {"participation_id": 98, "std_img": PHOTO})
    assert both(parts.post("/auth/feature", good | {"participation_id": 98})) == WRONG_TIME
    for other in (something_else(), blank()):
        assert both(parts.post("/auth/feature", good | {"feed_img": text(other)})) == MISMATCH
    before, stored = rows(parts, "feed"), parts.stored()
    assert both(parts.post("/auth/feature", good | {"participation_id": "7"})) == POSTED
    (row,) = [row for row in rows(parts, "feed") if row not in before]
    assert (row["feed_type"], row["participation_id"], row["feed_content"]) == (
        "auth",
        7,
        good["feed_content"],
    )
    name = Path(row["feed_img"]).name
    assert name.startswith("feature_7_")
    assert parts.stored() == sorted([*stored, name])
    assert both(parts.post("/auth/feature", good | {"feed_content": ""})) == POSTED


def test_two_holds_to_the_hours_of_the_challenge(parts: Verification) -> None:
    """The window is that of the configured zone; outside it nothing is compared and nothing kept."""
    now = datetime.now(ZoneInfo("Asia/Seoul"))
    today = {"start_date": f"{now - timedelta(1):%Y-%m-%d}", "end_date": f"{now + timedelta(1):%Y-%m-%d}"}
    hours = {
        61: (
            {
                "start_time": f"{now - timedelta(minutes=5):%H:%M:%S}",
                "end_time": f"{now + timedelta(minutes=5):%H:%M:%S}",
            },
            POSTED,
        ),
        62: (
            {
                "start_time": f"{now + timedelta(minutes=5):%H:%M:%S}",
                "end_time": f"{now - timedelta(minutes=5):%H:%M:%S}",
            },
            WRONG_TIME,
        ),
        63: ({"start_date": "2001-01-01", "end_date": "2001-02-01"}, WRONG_TIME),
    }
    for number, (window, expected) in hours.items():
        parts.open_participation(number, **(today | window))
        parts.post("/auth/stdimg", {"participation_id": number, "std_img": PHOTO})
        stored = parts.stored()
        body = {"participation_id": number, "feed_img": PHOTO, "feed_content": ""}
        assert both(parts.post("/auth/feature", body)) == expected
        assert (len(parts.stored()) > len(stored)) is (expected is POSTED)
        classified = body | {"feed_img": RED, "classification_keyword": "red"}
        outcome = CLASSIFIED if expected is POSTED else CLASSIFIED_WRONG_TIME
        assert both(parts.post("/auth/classification", classified)) == outcome


def test_two_posts_a_classification(parts: Verification) -> None:
    """Input, time, word, row - no standard photo is needed - and then both copies."""
    good: Body = {
        "participation_id": 7,
        "feed_img": RED,
        "feed_content": "빨간 것",
        "classification_keyword": "red",
    }
    changes: tuple[Body, ...] = (
        *({"participation_id": number} for number in BAD_IDS),
        *({"feed_content": content} for content in NO_CONTENTS),
        *({"classification_keyword": word} for word in NO_TAGS),
        *({"feed_img": data} for data in NOT_PHOTOS.values()),
    )
    for changed in changes:
        assert both(parts.post("/auth/classification", good | changed)) == BAD_INPUT
    for absent in good:
        body = {k: v for k, v in good.items() if k != absent}
        assert both(parts.post("/auth/classification", body)) == BAD_INPUT
    unknown = good | {"participation_id": 99, "classification_keyword": "green"}
    assert both(parts.post("/auth/classification", unknown)) == CLASSIFIED_WRONG_TIME
    before, stored = rows(parts, "feed"), parts.stored()
    assert both(parts.post("/auth/classification", good | {"classification_keyword": "blue"})) == WRONG_WORD
    assert (rows(parts, "feed"), parts.stored()) == (before, stored)
    assert both(parts.post("/auth/classification", good | {"data": RED})) == CLASSIFIED
    (row,) = [row for row in rows(parts, "feed") if row not in before]
    name = Path(row["feed_img"]).name
    assert (row["feed_type"], row["participation_id"], row["feed_content"]) == ("auth", 7, "빨간 것")
    assert name.startswith("classification_7_")
    assert parts.stored() == sorted([*stored, name])


@pytest.mark.parametrize(
    "path", ["/auth/stdimg", "/auth/test", "/auth/feature", "/auth/tag", "/auth/classification"]
)
@pytest.mark.parametrize(
    "request_",
    [
        {"content": b""},
        {"content": b"{"},
        {"content": b"[]"},
        {"content": b"null"},
        {"content": b'"data"'},
        {"content": b"{}"},
        {"content": b"[" * 100_000},
        {"content": b'{"participation_id": ' + b"9" * 5000 + b"}"},
        {"content": "입력".encode("cp949")},
        {"content": b"\xff\xfe\x00"},
        {"content": b'{"other": 1}'},
        {"data": {"participation_id": "7"}},
        {"files": {"std_img": b"x"}},
        {"content": b"{}", "headers": {"content-type": "text/plain"}},
    ],
    ids=lambda request_: repr(request_)[:40],
)
def test_what_cannot_be_understood_is_bad_input(
    parts: Verification, path: str, request_: dict[str, Any]
) -> None:
    """No key that tells a dialect: dialect 2, 400, code 1 - and never the framework's own words."""
    assert both(parts.client.post(path, **request_)) == BAD_INPUT


def test_what_is_too_large_is_a_documented_answer(parts: Verification) -> None:
    """Whether the length is told before or not, and whether the body or only the photo is too large."""
    assert both(parts.client.post("/auth/feature", content=b"x" * 36 * 1024 * 1024)) == BAD_INPUT
    pieces = (b"x" * 1024 * 1024 for _ in range(40))
    assert both(parts.client.post("/auth/classification", content=pieces)) == BAD_INPUT
    assert parts.post("/auth/stdimg", {"data": HUGE}).content == ONE["again"]
    assert both(parts.post("/auth/stdimg", {"participation_id": 7, "std_img": HUGE})) == NO_PHOTO


def test_a_text_body_is_read_as_json_all_the_same(parts: Verification) -> None:
    """Fetch sends text/plain where its caller names no type."""
    body = json.dumps({"data": PHOTO, "name": "hong"})
    for kind in (
        "text/plain;charset=UTF-8",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
    ):
        assert (
            parts.client.post("/auth/feature", content=body, headers={"content-type": kind}).content
            == ONE["complete"]
        )


def test_debug_shows_how_the_answer_came_about(parts: Verification) -> None:
    """Inliers, method and a picture of both photos; the contract's fields stay as they are."""
    one = parts.post("/auth/feature", {"data": PHOTO, "name": "hong", "debug": True}).json()
    assert (one["status"], one["message"], one["result"]) == (200, "Complete", True)
    assert one["debug"]["inliers"] >= 8
    two_ = parts.post(
        "/auth/feature",
        {"participation_id": 7, "feed_img": text(something_else()), "feed_content": "", "debug": "1"},
    )
    assert (two_.status_code, two_.json()["errcode"]) == (400, 4)
    for shown in (one["debug"], two_.json()["debug"]):
        picture = photos.opened(base64.b64decode(shown["picture"]))
        assert picture.width > picture.height


def test_strict_wants_more_proof(parts: Verification) -> None:
    """What passes strictly passes normally; the flag never makes wrong photos right."""
    for strict in (True, False):
        body = {"data": text(standard()), "name": "hong", "strict": strict}
        assert parts.post("/auth/feature", body).content == ONE["complete"]
        assert parts.post("/auth/feature", body | {"data": text(something_else())}).content == ONE["mismatch"]


def test_requests_leave_nothing_but_what_they_store(parts: Verification) -> None:
    """After everything above: no envelope, no match picture, and exactly the objects that rows speak of."""
    assert parts.left_over() == []
    urls = [
        row["standard_img"]
        for table in ("auth_standard_img", "named_standard_img")
        for row in rows(parts, table)
    ]
    urls += [row["feed_img"] for row in rows(parts, "feed")]
    assert sorted(Path(url).name for url in urls) == parts.stored()
    assert rows(parts, "pending_object") == []


def test_challenges_are_administered_from_the_command_line(parts: Verification) -> None:
    """Add, join, list, show, leave, remove; what is refused is an error with the server's reason."""

    def challenges(*words: str, refused: bool = False) -> list[dict[str, Any]]:
        done = CliRunner().invoke(administration, [*words, "--url", parts.url])
        assert isinstance(done.exception, RemoteRefusalError) is refused, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    hours = ("--start-time", "22:00", "--end-time", "02:00")
    (made,) = challenges("add", "--start-date", "2024-05-01", "--end-date", "2024-05-02", *hours)
    number = str(made["challenge_id"])
    assert made["start_time"] == "22:00:00"
    assert made in challenges("list")
    (joined,) = challenges("join", number, "--participation-id", "4000")
    assert (joined["feeds"], joined["open_now"], joined["standard_img"]) == (0, False, None)
    (next_one,) = challenges("join", number)
    assert challenges("members", number) == [joined, next_one]
    challenges("join", number, "--participation-id", "4000", refused=True)
    challenges("join", "999", refused=True)
    challenges("remove", number, refused=True)
    parts.post("/auth/stdimg", {"participation_id": 4000, "std_img": PHOTO})
    (shown,) = challenges("show", "4000")
    picture = parts.photos / Path(shown["standard_img"]).name
    assert picture.exists()
    challenges("leave", "4000")
    assert not picture.exists()
    challenges("show", "4000", refused=True)
    challenges("leave", str(next_one["participation_id"]))
    challenges("remove", number)
    challenges("remove", number, refused=True)


@pytest.mark.parametrize(
    "challenge",
    [
        {},
        {"start_date": "2024-05-02", "end_date": "2024-05-01"},
        {"start_date": "2024-13-01", "end_date": "2024-05-01"},
        {"start_date": "2024-05-01", "end_date": "2024-05-02", "start_time": "10:00", "end_time": "10:00"},
        {"start_date": "2024-05-01", "end_date": "2024-05-02", "start_time": "10:00+09:00"},
        {"start_date": "2024-05-01", "end_date": "2024-05-02", "title": "unknown"},
    ],
)
def test_a_challenge_that_is_never_open_is_refused(parts: Verification, challenge: Body) -> None:
    """In the usual shape of errors, with a code."""
    answer = parts.post("/admin/challenges", challenge)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in {"missing_field", "invalid_option"}


@pytest.mark.parametrize("language", ["py", "mjs"])
def test_the_clients_in_examples_work(parts: Verification, language: str, tmp_path: Path) -> None:
    """Both dialects, in the bodies that axios and fetch make: the same thing, another thing, no photo."""
    program = sys.executable if language == "py" else shutil.which("node")
    if program is None:
        pytest.skip("node is not installed")
    for name, data in (
        ("std", standard()),
        ("same", taken_again()),
        ("other", something_else()),
        ("bad", b"x"),
    ):
        (tmp_path / name).write_bytes(data)
    parts.open_participation(900 + len(language))
    for second, expected in (("same", 0), ("other", 1)):
        for dialect, whose in (("one", ()), ("two", (str(900 + len(language)),))):
            script = ROOT / "examples" / "verification" / f"dialect_{dialect}.{language}"
            words = [program, str(script), *whose, str(tmp_path / "std"), str(tmp_path / second), parts.url]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == expected, done.stdout + done.stderr
    words = [program, str(script), *whose, str(tmp_path / "bad"), str(tmp_path / "same"), parts.url]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 2
