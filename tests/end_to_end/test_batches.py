"""Many photos at once, and being told as things happen."""

import csv
import io
import json
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import hostile_zips, photos
from tests.end_to_end.test_faceblur import is_hidden
from tests.hostile_zips import Member

pytestmark = pytest.mark.end_to_end
MAX_S = 180


def portraits(count: int) -> list[bytes]:
    """Return different photos of one face."""
    return [photos.encoded(photos.portrait(), quality=80 + number) for number in range(count)]


def finished(client: httpx.Client, batch_id: str) -> dict[str, Any]:
    """Return the status of a batch once nothing more is to come."""
    deadline = time.monotonic() + MAX_S
    while time.monotonic() < deadline:
        state: dict[str, Any] = client.get(f"/batches/{batch_id}", params={"wait": 10}).json()
        if state["finished"]:
            return state
    pytest.fail("the batch did not end")


def test_each_photo_has_its_own_fate(client: httpx.Client) -> None:
    """A broken photo is reported beside the others; the archive holds every picture and the report."""
    good = portraits(3)
    files = [("files", (f"../{number}.jpg", data)) for number, data in enumerate(good)]
    files.insert(1, ("files", ("=cmd.jpg", good[0][:2000])))
    created = client.post("/batches", files=files, data={"classes": "face", "keep_names": "true"})
    assert created.status_code == 200, created.text
    body = created.json()
    assert [file["name"] for file in body["files"]] == ["../0.jpg", "=cmd.jpg", "../1.jpg", "../2.jpg"]
    state = finished(client, body["batch_id"])
    assert (state["total"], state["done"], state["failed"]) == (4, 3, 1)
    assert [file["name"] for file in state["files"]] == ["0.jpg", "=cmd.jpg", "1.jpg", "2.jpg"]
    assert state["files"][1]["error"]["code"] == "truncated_photo"
    assert {file.get("verdict") for file in state["files"]} == {"clean", None}
    got = client.get(f"/batches/{body['batch_id']}/archive")
    assert got.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(got.content)) as bundle:
        assert bundle.testzip() is None
        pictures = ["0001_0.jpg", "0003_1.jpg", "0004_2.jpg"]
        assert bundle.namelist() == [*pictures, "report.json", "report.csv"]
        for name in pictures:
            assert is_hidden(photos.portrait(), Image.open(io.BytesIO(bundle.read(name))), photos.FACE)
        rows = list(csv.DictReader(io.StringIO(bundle.read("report.csv").decode())))
        assert [row["faces"] for row in rows] == ["1", "0", "1", "1"]
        assert rows[1]["name"] == "'=cmd.jpg"
        assert len(json.loads(bundle.read("report.json"))) == 4
    assert client.delete(f"/batches/{body['batch_id']}").status_code == 204
    assert client.get(f"/batches/{body['batch_id']}").json()["error"]["code"] == "unknown_batch"
    task = body["files"][0]["task_id"]
    assert client.get(f"/task_result/{task}").status_code == 404


def test_a_zip_is_a_batch(client: httpx.Client) -> None:
    """Folders are no photos, what is damaged or no photo has its error, and names stay with the caller."""
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as bundle:
        bundle.mkdir("street")
        bundle.writestr("street/one.jpg", portraits(1)[0])
        bundle.writestr("notes.txt", "PRIVATE")
        bundle.writestr("zeros.jpg", bytes(60 << 20), zipfile.ZIP_DEFLATED)
    created = client.post("/batches", files={"archive": ("a.zip", text.getvalue())})
    assert created.status_code == 200, created.text
    state = finished(client, created.json()["batch_id"])
    assert [file["status"] for file in state["files"]] == ["SUCCESS", "FAILURE", "FAILURE"]
    assert [file["error"]["code"] for file in state["files"][1:]] == ["unsupported_format", "photo_too_large"]
    assert all("name" not in file for file in state["files"])
    assert "street" not in client.get(f"/batches/{created.json()['batch_id']}").text


def test_hostile_zips_are_refused_or_reported(client: httpx.Client) -> None:
    """A bomb is a 413 and enters no job; a damaged member is that file's error, and the others are hidden."""
    bomb = client.post("/batches", files={"archive": ("a.zip", hostile_zips.overlapping(400))})
    assert (bomb.status_code, bomb.json()["error"]["code"]) == (413, "archive_too_large")
    good = portraits(1)[0]
    members = [
        Member("good.jpg", good),
        Member("method 12 over stored data", good, hostile_zips.BZIP2, good),
        Member("LZMA", good, hostile_zips.LZMA, b"\x09\x04\x05\x00\x5d" + bytes(40)),
        Member("offset of 2^63", good, offset=2**63),
        Member("behind it all", good, offset=2**64 - 1),
    ]
    created = client.post("/batches", files={"archive": ("a.zip", hostile_zips.archive(members))})
    assert created.status_code == 200, created.text
    state = finished(client, created.json()["batch_id"])
    assert [file["status"] for file in state["files"]] == ["SUCCESS"] + ["FAILURE"] * 4
    assert {file["error"]["code"] for file in state["files"][1:]} == {"undecodable_photo"}


def test_wrong_batches_are_refused_whole(client: httpx.Client) -> None:
    """Nothing, no zip, both at once, a wrong option, a policy that is too weak, somebody else's id."""
    photo = {"files": ("a.jpg", portraits(1)[0])}
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"files": {"archive": ("a.zip", b"PK nothing")}}, 400, "invalid_request"),
        ({"files": {**photo, "archive": ("a.zip", b"PK")}}, 422, "invalid_option"),
        ({"files": photo, "data": {"cells": "many"}}, 422, "invalid_option"),
        ({"files": photo, "data": {"cells": "64"}}, 422, "weaker_than_policy"),
        ({"files": {"other": ("a.jpg", b"x")}}, 422, "invalid_option"),
        ({"data": {"classes": "face"}}, 422, "missing_field"),
    ]
    for request, status, code in wrong:
        answer = client.post("/batches", **request)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), request
    for path in ("", "/archive", "/events"):
        assert client.get(f"/batches/{uuid.uuid4()}{path}").json()["error"]["code"] == "unknown_batch"


def test_the_same_key_is_the_same_batch(client: httpx.Client) -> None:
    """Sent twice under one Idempotency-Key, no photo is worked on twice."""
    key = {"idempotency-key": uuid.uuid4().hex}
    files = [("files", ("a.jpg", data)) for data in portraits(2)]
    one, two = (client.post("/batches", files=files, headers=key).json() for _ in range(2))
    assert one == two
    finished(client, one["batch_id"])


def events(client: httpx.Client, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Read a stream of events to its end."""
    with client.stream("GET", path) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = "".join(stream.iter_text())
    blocks = [block.split("\n") for block in text.strip().split("\n\n") if not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_events_tell_a_task_to_its_end(client: httpx.Client, portrait: Path) -> None:
    """Each change once, the last one is the end; a stream of an ended task has just that."""
    task = client.post("/blur", files={"file": portrait.read_bytes()}).json()["task_id"]
    told = events(client, f"/task_result/{task}/events")
    assert [name for name, _ in told] == ["progress"] * (len(told) - 1) + ["end"]
    assert told[-1][1] == {"status": "SUCCESS", "progress": 1.0, "finished": True}
    shares = [data["progress"] for _, data in told]
    assert shares == sorted(shares)
    assert len(events(client, f"/task_result/{task}/events")) == 1
    assert client.get(f"/task_result/{uuid.uuid4()}/events").status_code == 404


def test_events_tell_a_batch_to_its_end(client: httpx.Client) -> None:
    """The last event of a batch has every photo in it."""
    files = [("files", ("a.jpg", data)) for data in portraits(4)]
    batch = client.post("/batches", files=files).json()["batch_id"]
    name, last = events(client, f"/batches/{batch}/events")[-1]
    assert (name, last["done"], last["finished"]) == ("end", 4, True)


def test_classes_may_be_named_one_by_one(client: httpx.Client) -> None:
    """A field sent twice means both, as with single photos."""
    body = {"classes": ["face", "plate"]}
    batch = client.post("/batches", files=[("files", ("a.jpg", portraits(1)[0]))], data=body).json()
    finished(client, batch["batch_id"])
    answer = client.get(f"/task_result/{batch['files'][0]['task_id']}").json()
    assert {model["name"].partition("-")[0] for model in answer["models"]} == {"face", "plate"}
